"""Systems as claims name them: blocks of labels whose cells differ in their seed alone."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mtpeft.cells import Block
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, system_labels

Member = dict[str, Any]
"""A comparison: its name, its pair, its systems."""


@lru_cache(maxsize=4)
def seeds_of_systems(configuration: Configuration) -> Mapping[tuple[str, ...], Sequence[str]]:
    """Seeds of each system of the whole sweep: studies share cells, so a claim has those of all of them."""
    systems: dict[tuple[str, ...], list[str]] = {}
    for cell in sorted(all_cells(configuration), key=lambda cell: cell.labels):
        systems.setdefault(system_labels(cell), []).append(cell.seed)
    return systems


def system_block(seeds: Mapping[tuple[str, ...], Sequence[str]], *labels: str) -> Block:
    """The cells of the system with these five labels."""
    return [*([label] for label in labels), seeds[labels]]
