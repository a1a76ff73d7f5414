"""Parallel text in the columns of a table, separated by tabs or by commas."""

import csv
import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mtpeft.corpus.lines import Line, read_lines
from mtpeft.errors import UserError


class Row(NamedTuple):
    """The fields of a row, and the line of the file on which it begins, counted from 1."""

    number: int
    fields: list[str]


def read_tsv(path: Path, columns: Sequence[str | int]) -> list[Line]:
    """Two columns of a table with a row per line, separated by tabs, in which quotes mean nothing.

    A column is a number from 0, or a name in the first row, which is then no text.

    Raises:
        UserError: the file can't be read, or lacks the columns or text in them.
    """
    rows = [Row(number, line.split("\t")) for number, line in enumerate(read_lines(path), start=1)]
    return _two_columns(path, rows, columns=columns, separators="tabs")


def read_csv(path: Path, columns: Sequence[str | int]) -> list[Line]:
    """Two columns of a table separated by commas, with quotes as in RFC 4180; empty lines between rows are no rows.

    A column is a number from 0, or a name in the first row, which is then no text.

    Raises:
        UserError: the file can't be read, has quotes in wrong places, or lacks the columns or text in them.
    """
    return _two_columns(path, list(_csv_rows(path, read_lines(path))), columns=columns, separators="commas")


def _csv_rows(path: Path, lines: Iterable[str]) -> Iterator[Row]:
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    begin = 1
    try:
        for fields in reader:
            if fields:
                yield Row(begin, fields)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}, line {begin}, begins a row that is not CSV ({error}): close each quote that opens a field, and "
            "double the quotes inside of it."
        ) from None


def _two_columns(path: Path, rows: Sequence[Row], *, columns: Sequence[str | int], separators: str) -> list[Line]:
    has_header = any(isinstance(column, str) for column in columns)
    indices = [_column_index(column, rows[0].fields, path) for column in columns]
    lines = []
    for number, fields in rows[has_header:]:
        if len(fields) <= max(indices):
            raise UserError(
                f"{path}, line {number}, has {len(fields)} columns where column {max(indices)} (counted from 0) is "
                f"read: separate the columns of each line by {separators}."
            )
        lines.append(Line(number, fields[indices[0]].strip(), fields[indices[1]].strip()))
    if not lines:
        raise UserError(f"{path} has a header and no line of text: name a file with sentences.")
    return lines


def _column_index(column: str | int, header: Sequence[str], path: Path) -> int:
    names = [name.strip() for name in header]
    if isinstance(column, str):
        if column in names:
            return names.index(column)
        nearest = difflib.get_close_matches(column, names, n=1, cutoff=0.0)[0]
        raise UserError(
            f"{path} has no column '{column}': it has {', '.join(names)}; the nearest is '{nearest}', so write one of "
            "these in columns."
        )
    if not 0 <= column < len(header):
        raise UserError(f"{path} has no column {column}: write a number from 0 to {len(header) - 1} in columns.")
    return column
