"""A list of cells in short: products of labels, small enough to be passed to a step and compared by Snakemake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType

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


def unfold(blocks: Sequence[Block], elsewhere: Mapping[str, str] = NOWHERE) -> list[Cell]:
    """The cells of blocks, and digests of the other pairs that they are scored on."""
    return [cell for block in blocks for cell in _cells_of(block, elsewhere)]


def _cells_of(block: Block, elsewhere: Mapping[str, str]) -> Iterator[Cell]:
    *lists, digests = block if len(block) > len(DIMENSIONS) else (*block, "")
    for place, labels in enumerate(product(*lists)):
        start = place * DIGEST_DIGITS
        yield Cell(*labels, digest="".join(digests[start : start + DIGEST_DIGITS]), elsewhere=elsewhere)
