"""Write tables as CSV files, and read them with errors that name the line.

The `csv` module is used because pandas takes half a second to import, in every step that writes a table, and knows
neither the line of a field that is no number nor the ten digits in which the tables are written.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError

SENTENCE_ENDS, RUNS = ("_sentences_low", "_sentences_high"), "_runs"
"""Ends of the columns with the interval of a score over sentences alone, and with the score of each seed."""
LARGEST_SHARE = 2.0
"""A method that trains the whole base model and more is above 1; a value far above 1 was meant as per cent."""


def csv_text(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a header; floats have ten digits, and what a row lacks is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _written(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval; both are the mean itself where the table has none.

    `digits` is the number of digits after the point where the mean is written. `over_sentences` are the ends of the
    interval without the choice of the seeds, and `runs` the values of single seeds, where the table has them.
    """

    mean: float
    low: float
    high: float
    digits: int = 1
    over_sentences: tuple[float, float] | None = None
    runs: tuple[float, ...] = ()

    def __neg__(self) -> "Interval":
        return Interval(-self.mean, -self.high, -self.low, self.digits)

    @property
    def text(self) -> str:
        """The mean as it is written beside a line."""
        return f"{self.mean:.{self.digits}f}"


@dataclass(frozen=True)
class Row:
    """One line of a table with the place that an error message names."""

    path: Path
    line: int
    fields: Mapping[str, str]

    def text(self, column: str) -> str:
        """A field as text."""
        return self.fields[column]

    def optional(self, column: str, convert: Callable[[str], Any] = float) -> Any:
        """A number, or None where the field is empty."""
        text = self.fields.get(column) or ""
        if not text:
            return None
        try:
            return convert(text)
        except ValueError:
            raise UserError(
                f"{self.path} line {self.line}: '{text}' in column {column} is no number; "
                "write a number or leave the field empty."
            ) from None

    def number(self, column: str, convert: Callable[[str], Any] = float) -> Any:
        """A number that must be there."""
        value = self.optional(column, convert)
        if value is None:
            raise UserError(f"{self.path} line {self.line}: column {column} is empty; write a number.")
        return value

    def share(self, column: str) -> float | None:
        """A share of the base model, if there is one."""
        value = self.optional(column)
        if value is not None and not 0 <= value <= LARGEST_SHARE:
            raise UserError(
                f"{self.path} line {self.line}: {column} is {value:g}; write a share of the base model, not per cent."
            )
        return value

    def interval(self, column: str, digits: int = 1) -> Interval | None:
        """A mean with its interval, if there is one."""
        mean, low, high = (self.optional(f"{column}{end}") for end in ("", "_low", "_high"))
        if mean is None:
            return None
        over_sentences = tuple(self.optional(f"{column}{end}") for end in SENTENCE_ENDS)
        runs = tuple(map(float, (self.fields.get(f"{column}{RUNS}") or "").split()))
        return Interval(
            mean,
            mean if low is None else low,
            mean if high is None else high,
            digits,
            over_sentences=None if None in over_sentences else over_sentences,
            runs=runs,
        )


def rows_of(path: Path, required: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a CSV with a header.

    Raises:
        UserError: the header lacks a column that is required.
    """
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, restval="")
        absent = [column for column in required if column not in (reader.fieldnames or ())]
        if absent:
            raise UserError(f"{path} line 1: the header lacks {', '.join(absent)}; write a comma-separated header.")
        for fields in reader:
            yield Row(path, reader.line_num, fields)
