"""Parallel text in the columns of a table, separated by tabs or by commas."""

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mtpeft.core.errors import UserError
from mtpeft.data.readers.base import Line, Reader
from mtpeft.data.readers.lines import read_text_lines

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
"""Separators of columns, and their names."""
FORMATS = {",": "csv", "\t": "tsv"}
"""Names of the formats with these separators."""
MOST_FIELD = 10_000_000
"""Most characters of a field: in a longer one, it is likely that nothing closes a quote."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A field in quotes, with the quotes inside of it doubled."""
SAMPLE = 1000
"""Rows that are looked at to guess the separator of a table that can't be read."""


class Row(NamedTuple):
    """The fields of a row of a table, and the line of the file on which the row begins, counted from 1."""

    number: int
    fields: list[str]


def read_table(path: Path, columns: Sequence[str | int]) -> list[Line]:
    """Read two columns of a table that the workflow has written: separated by tabs, and quotes mean nothing.

    A column is a number from 0, or a name in the first row, which is then no text.

    Raises:
        UserError: the file can't be read, or lacks the columns or text in them.
    """
    return _two_columns(path, _plain_rows(read_text_lines(path)), columns=columns, separator="\t")


def read_tsv(path: Path, columns: Sequence[str | int]) -> list[Line]:
    r"""Read two columns of a table separated by tabs, as the IANA has it, or in quotes as in RFC 4180.

    It is in quotes where each field that begins with one is, and some field has doubled quotes inside or all fields are
    in quotes; else quotes are text. A column is a number from 0, or a name in the first row, which is then no text.

    Raises:
        UserError: the file can't be read, a row has other fields than the first, or columns or text in them lack.
    """
    lines = read_text_lines(path)
    rows = _plain_rows(lines)
    quoted = [field for row in rows for field in row.fields if field.startswith('"')]
    escaped = next((field for field in quoted if QUOTED.fullmatch(field) and '""' in field[1:-1]), None)
    all_quoted = len(rows) > 1 and all(QUOTED.fullmatch(field) for row in rows for field in row.fields)
    if escaped or all_quoted or not _are_even(rows):
        in_quotes = _rows_in_quotes(lines)
        if in_quotes and _are_even(in_quotes) and (escaped or all_quoted or len(in_quotes) < len(rows)):
            return _two_columns(path, in_quotes, columns=columns, separator="\t")
    if escaped:
        raise UserError(
            f"{path} has fields in quotes with doubled quotes inside, such as {escaped:.60}, and others that begin "
            "with a quote and are not in quotes: put all of them in quotes as in RFC 4180, or none."
        )
    return _two_columns(path, rows, columns=columns, separator="\t")


def read_csv(path: Path, columns: Sequence[str | int]) -> list[Line]:
    """Read two columns of a table separated by commas, with quotes as in RFC 4180; empty lines are no rows.

    A column is a number from 0, or a name in the first row, which is then no text.

    Raises:
        UserError: the file can't be read, has quotes in wrong places, a row has other fields than the first, or
            columns or text in them lack.
    """
    lines = read_text_lines(path)
    try:
        rows = list(_parsed(lines, ","))
    except BrokenRowError as broken:
        likely = next((other for other in SEPARATORS if other != "," and _separates(lines, other)), None)
        if likely:
            raise UserError(_separated_by(path, ",", likely)) from None
        raise UserError(
            f"{path}, line {broken.number}, begins a row that is not CSV ({broken}): close each quote that opens a "
            "field, and double the quotes inside of it."
        ) from None
    return _two_columns(path, rows, columns=columns, separator=",")


TSV = Reader(
    name="tsv",
    description="A tab-separated file.",
    endings=(".tsv",),
    read=read_tsv,
    columns="{sw: 0, en: 1}",
)
CSV = Reader(
    name="csv",
    description="A comma-separated file with quotes as in RFC 4180.",
    endings=(".csv",),
    read=read_csv,
    columns="{sw: 0, en: 1}",
)


class BrokenRowError(Exception):
    """A row has quotes in wrong places; `number` is the line on which it begins."""

    def __init__(self, number: int, said: str) -> None:
        super().__init__(said)
        self.number = number


def _plain_rows(lines: Sequence[str]) -> list[Row]:
    numbered = ((number, line.rstrip("\r")) for number, line in enumerate(lines, start=1))
    return [Row(number, line.split("\t")) for number, line in numbered if line]


def _rows_in_quotes(lines: Sequence[str]) -> list[Row] | None:
    try:
        return list(_parsed(lines, "\t"))
    except BrokenRowError:
        return None


def _parsed(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """Split lines into rows as RFC 4180 has them.

    Raises:
        BrokenRowError: a quote is not closed, or text follows one that closes a field.
    """
    limit = csv.field_size_limit(MOST_FIELD)
    reader = csv.reader(map(_with_end, lines), delimiter=separator, strict=True)
    begin = 1
    try:
        for fields in reader:
            if fields:
                yield Row(begin, fields)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise BrokenRowError(begin, str(error)) from None
    finally:
        csv.field_size_limit(limit)


def _with_end(line: str) -> str:
    """Give a line its end back, for the parser of the standard library; a carriage return inside is white space."""
    end = "\r\n" if line.endswith("\r") else "\n"
    return line.removesuffix("\r").replace("\r", " ") + end


def _are_even(rows: Sequence[Row]) -> bool:
    return all(len(row.fields) == len(rows[0].fields) for row in rows)


def _two_columns(path: Path, rows: Sequence[Row], *, columns: Sequence[str | int], separator: str) -> list[Line]:
    likely = _likely_separator(rows, separator)
    hint = f"; its columns seem to be separated by {SEPARATORS[likely]}, so {_instead(likely)}" if likely else ""
    has_header = any(isinstance(column, str) for column in columns)
    indices = [_column_index(column, rows[0].fields, path, hint) for column in columns]
    if indices[0] == indices[1]:
        raise UserError(f"{path} is read with column {columns[0]!r} for both sides: write two columns in columns.")
    wanted = len(rows[0].fields)
    lines = []
    for number, fields in rows:
        if len(fields) != wanted:
            raise UserError(
                f"{path}, line {number}, has {_counted(len(fields))} where the first row has {wanted}{hint}: separate "
                f"the columns of each line by {SEPARATORS[separator]}{_mended_by(separator)}."
            )
        lines.append(Line(number, fields[indices[0]].strip(), fields[indices[1]].strip()))
    if likely and all(_is_prose(field, separator) for field in _fields_after_separators(rows)):
        raise UserError(_separated_by(path, separator, likely))
    if not lines[has_header:]:
        raise UserError(f"{path} has a header and no line of text: name a file with sentences.")
    return lines[has_header:]


def _separates(lines: Sequence[str], separator: str) -> bool:
    """Say whether lines are a table of at least two columns with this separator."""
    try:
        rows = list(_parsed(lines, separator))
    except BrokenRowError:
        return False
    return _are_even(rows) and len(rows[0].fields) > 1


def _separated_by(path: Path, separator: str, likely: str) -> str:
    return (
        f"{path} is read with {SEPARATORS[separator]} between its columns, but these seem to be separated by "
        f"{SEPARATORS[likely]}: {_instead(likely)}."
    )


def _counted(fields: int) -> str:
    return f"{fields} column{'s' * (fields != 1)}"


def _mended_by(separator: str) -> str:
    return ", and put a field that has one in quotes" if separator == "," else ", and write none inside of a text"


def _instead(separator: str) -> str:
    if separator in FORMATS:
        return f"write '{FORMATS[separator]}' in the place of its form"
    return "save it with commas and quotes, as RFC 4180 has it"


def _likely_separator(rows: Sequence[Row], separator: str) -> str | None:
    """Guess another separator: one that all rows have equally often, of several the one with the fewest columns."""
    texts = [separator.join(row.fields) for row in rows[:SAMPLE]]
    found: Counter[str] = Counter()
    for other in SEPARATORS:
        counts = {text.count(other) for text in texts}
        if other != separator and len(counts) == 1 and counts != {0}:
            found[other] = counts.pop()
    return min(found, key=lambda other: found[other]) if found else None


def _fields_after_separators(rows: Sequence[Row]) -> list[str]:
    return [field for row in rows[:SAMPLE] for field in row.fields[1:]]


def _is_prose(field: str, separator: str) -> bool:
    """Say whether the separator before a field is punctuation of a sentence rather than the end of a column."""
    return separator == "," and field.startswith(" ")


def _column_index(column: str | int, header: Sequence[str], path: Path, hint: str) -> int:
    names = [name.strip() for name in header]
    if isinstance(column, str):
        if names.count(column) > 1:
            raise UserError(f"{path} has {names.count(column)} columns '{column}': give each a name of its own.")
        if column in names:
            return names.index(column)
        nearest = difflib.get_close_matches(column, names, n=1, cutoff=0.0)[0]
        raise UserError(
            f"{path} has no column '{column}': it has {', '.join(names)}; the nearest is '{nearest}', so write one of "
            f"these in columns{hint}."
        )
    if not 0 <= column < len(header):
        last = len(header) - 1
        asked = f"a number from 0 to {last}" if last else "0, its only one,"
        raise UserError(f"{path} has no column {column}: write {asked} in columns{hint}.")
    return column
