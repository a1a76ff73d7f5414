"""What Snakemake passes to functions of the rules."""

from typing import Protocol


class Wildcards(Protocol):
    """What Snakemake passes: labels by name."""

    def __getitem__(self, name: str) -> str: ...
