"""The types of a reader of a file format and of the lines that it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """A line of parallel text and its number in the file, counted from 1."""

    number: int
    source: str
    target: str


@dataclass(frozen=True)
class Reader:
    """A format of files that hold both sides of a parallel text.

    Attributes:
        name: key in the configuration, under which the file is named: `tsv`.
        description: what the schema of the configuration says of this key.
        endings: how the names of such files end, without the ending of a compression.
        read: reads a file, given what source and target are called in it: their columns, or their languages.
        columns: example of the key `columns` for two languages; empty where the format itself names the languages.
        numbered: whether a column may be given by its number.
        module: file that the reader comes from; empty for those of the package.
    """

    name: str
    description: str
    endings: tuple[str, ...]
    read: Callable[[Path, Sequence[str | int]], list[Line]]
    columns: str = ""
    numbered: bool = True
    module: str = ""
