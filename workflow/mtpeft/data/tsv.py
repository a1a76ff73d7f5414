"""The two tables of sentence pairs that steps hand on: the clean text of a pair, and the text of one of its parts."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mtpeft.core import files
from mtpeft.core.errors import UserError


class CleanPair(NamedTuple):
    """A clean sentence pair; ``part`` is train, dev or test where the corpus gives dev or test, else empty."""

    id: str
    part: str
    source: str
    target: str


class SentencePair(NamedTuple):
    """A sentence pair of one part."""

    id: str
    source: str
    target: str


def write_cleaned(path: Path, pairs: Iterable[CleanPair]) -> None:
    """Write cleaned pairs under the header ``id part source target``."""
    _write(path, CleanPair._fields, pairs)


def read_cleaned(path: Path) -> list[CleanPair]:
    """Read a table that `write_cleaned` wrote."""
    return [CleanPair(*row) for row in _read(path, CleanPair._fields)]


def write_pairs(path: Path, pairs: Iterable[SentencePair]) -> None:
    """Write the pairs of one part under the header ``id source target``."""
    _write(path, SentencePair._fields, pairs)


def read_pairs(path: Path) -> list[SentencePair]:
    """Read a table that `write_pairs` wrote."""
    return [SentencePair(*row) for row in _read(path, SentencePair._fields)]


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    files.write_lines(path, ("\t".join(row) for row in (header, *rows)))


def _read(path: Path, header: tuple[str, ...]) -> list[list[str]]:
    rows = [line.split("\t") for line in files.read_lines(path)]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header) or (number == 1 and tuple(row) != header):
            columns = ", ".join(header)
            raise UserError(f"{path}, line {number}, lacks one of the columns {columns}: delete it and run again.")
    return rows[1:]
