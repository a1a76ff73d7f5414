"""The folder of the project, and paths that a configuration names."""

from pathlib import Path

PROJECT = Path(__file__).parents[3]


def found_path(path: str) -> Path:
    """A path from the working directory or, where there is nothing, from the project's own folder."""
    return Path(path) if Path(path).exists() or not (PROJECT / path).exists() else PROJECT / path
