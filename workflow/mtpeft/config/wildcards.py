"""What Snakemake passes to functions of the rules."""

from collections.abc import Iterable
from typing import Protocol


class Wildcards(Protocol):
    """What Snakemake passes: labels by name."""

    def __getitem__(self, name: str) -> str: ...

    def items(self) -> Iterable[tuple[str, str]]:
        """Names with their labels."""
        ...
