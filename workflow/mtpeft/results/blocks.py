"""A list of cells in short: products of labels, small enough to be passed to a step and compared by Snakemake."""

from collections.abc import Iterable, Sequence
from itertools import product

from mtpeft.cells import DIMENSIONS, Cell

Block = Sequence[Sequence[str]]


def fold(cells: Iterable[Cell]) -> list[Block]:
    """Blocks of six lists of labels whose products are these cells: blocks that differ in one dimension are merged."""
    blocks: list[Block] = [tuple((label,) for label in labels) for labels in sorted({cell.labels for cell in cells})]
    for dimension in reversed(range(len(DIMENSIONS))):
        merged: dict[tuple[object, ...], list[str]] = {}
        for block in blocks:
            rest = (*block[:dimension], *block[dimension + 1 :])
            merged.setdefault(rest, []).extend(block[dimension])
        blocks = [(*rest[:dimension], tuple(labels), *rest[dimension:]) for rest, labels in merged.items()]
    return blocks


def unfold(blocks: Sequence[Block]) -> list[Cell]:
    """The cells of blocks."""
    return [Cell(*labels) for block in blocks for labels in product(*block)]
