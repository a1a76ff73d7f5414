"""The study of tiny models, which most tests begin with: the default configuration with `tiny.yaml` laid over it."""

from pathlib import Path

from mtpeft.config.load import DEFAULT_FILE, load, merge
from mtpeft.config.schema import Configuration
from mtpeft.config.yaml_file import read_yaml

TINY_FILE = Path(__file__).parents[2] / "workflow/studies/tiny.yaml"
TINY = read_yaml(TINY_FILE)
"""The overlay alone."""
DEFAULT = merge(read_yaml(DEFAULT_FILE), TINY)


def tiny_study() -> Configuration:
    """The configuration of the study of tiny models."""
    return load([TINY_FILE])
