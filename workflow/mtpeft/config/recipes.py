"""Versions of the steps: raise a number by hand when a change of code must make old results stale."""

RECIPES = {
    "wheel": 1,
    "install": 1,
    "mtdata": 1,
    "clean": 1,
    "split": 2,
    "test": 1,
    "subset": 1,
    "vocabulary": 1,
    "tokens": 2,
    "pretrain": 1,
    "local": 1,
    "hub": 1,
    "judge": 1,
    "tune": 1,
    "train": 1,
    "decode": 1,
    "score": 1,
    "install_comet": 1,
    "comet_model": 1,
    "comet": 1,
    "figure": 1,
    "summary": 1,
    "text": 1,
    "findings": 1,
}
"""Ways in which each step has ever computed its result."""
