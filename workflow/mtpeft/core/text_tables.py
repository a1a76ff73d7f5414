"""Tables for people, in Markdown or in columns for the terminal.

The library rich would fit its tables to the width of a terminal, which cuts names where the output goes into a file or
a pipe, and importing it takes longer than printing all of them.
"""

from collections.abc import Callable, Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Write columns under their headers, two spaces apart: the first to the left, the others, numbers, to the right."""
    return _table(rows, [str.ljust, *[str.rjust] * (len(rows[0]) - 1)])


def in_columns(rows: Sequence[Sequence[object]]) -> str:
    """Write columns of words under their headers, two spaces apart, all to the left."""
    return _table(rows, [str.ljust] * len(rows[0]))


def _table(rows: Sequence[Sequence[object]], sides: Sequence[Callable[[str, int], str]]) -> str:
    cells = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(side(*cell) for side, *cell in zip(sides, row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def tally(cells: tuple[int, int], others: tuple[int, int]) -> str:
    """Write how many cells are done of how many, and of decodings of other pairs, if there are any."""
    done, wanted = cells
    more = f" and {others[0]} of {others[1]} decodings of other pairs" if others[1] else ""
    return f"{done} of {wanted} cells{more}"
