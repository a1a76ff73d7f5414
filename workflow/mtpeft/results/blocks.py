"""A list of cells in short: products of labels, small enough to be passed to a step and compared by Snakemake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from mtpeft.cells import DIGEST_DIGITS, DIMENSIONS, Cell

Block = Sequence[Sequence[str]]
NOWHERE: Mapping[str, str] = MappingProxyType({})


def fold(cells: Iterable[Cell]) -> list[Block]:
    """Blocks of six lists of labels whose products are these cells: blocks that differ in one dimension are merged.

    Where the cells have digests, each block ends with those of its cells, in their order and written as one text.
    """
    digests = {cell.labels: cell.digest for cell in cells}
    blocks: list[Block] = [tuple((label,) for label in labels) for labels in sorted(digests)]
    for dimension in reversed(range(len(DIMENSIONS))):
        merged: dict[tuple[object, ...], list[str]] = {}
        for block in blocks:
            rest = (*block[:dimension], *block[dimension + 1 :])
            merged.setdefault(rest, []).extend(block[dimension])
        blocks = [(*rest[:dimension], tuple(labels), *rest[dimension:]) for rest, labels in merged.items()]
    told = (("".join(digests[labels] for labels in product(*block)), block) for block in blocks)
    return [(*block, digest) if digest else block for digest, block in told]


def unfold(blocks: Sequence[Block], *, elsewhere: Mapping[str, str] = NOWHERE, comet: str = "") -> list[Cell]:
    """The cells of blocks, with digests that all of them share: of other pairs, and of how COMET scores them."""
    return [cell for block in blocks for cell in _cells_of(block, elsewhere, comet)]


def told_cells(cells: Iterable[Cell]) -> dict[str, Any]:
    """What a step is told of the cells that it reads: their blocks, and how COMET scored them if it did."""
    found = list(cells)
    return {"cells": fold(found)} | ({"comet": found[0].comet} if found and found[0].comet else {})


def cells_told(settings: Mapping[str, Any]) -> list[Cell]:
    """The cells that a step was told."""
    return unfold(settings["cells"], comet=settings.get("comet", ""))


def _cells_of(block: Block, elsewhere: Mapping[str, str], comet: str) -> Iterator[Cell]:
    *lists, digests = block if len(block) > len(DIMENSIONS) else (*block, "")
    for place, labels in enumerate(product(*lists)):
        start = place * DIGEST_DIGITS
        digest = "".join(digests[start : start + DIGEST_DIGITS])
        yield Cell(*labels, digest=digest, elsewhere=elsewhere, comet=comet)
