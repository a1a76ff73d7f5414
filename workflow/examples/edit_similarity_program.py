"""The program of the metric in `edit_similarity.py`. It runs in the metric's own environment."""

from typing import Any

PACKAGES = ("rapidfuzz",)


def load(model: dict[str, Any]) -> None:
    """Load nothing: the metric has no model."""


def score(model: None, samples: list[dict[str, str]], params: dict[str, Any]) -> list[float]:
    """Return one minus the edit distance per character of the longer text, for each sentence."""
    from rapidfuzz.distance import Levenshtein

    processor = None if params["case"] else str.lower
    return [Levenshtein.normalized_similarity(each["mt"], each["ref"], processor=processor) for each in samples]
