"""Read the tables from which every figure is drawn: summaries of systems, and distances of languages."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import DIMENSIONS, JOIN, members_of
from mtpeft.core.errors import UserError
from mtpeft.core.languages import main_language
from mtpeft.metrics.names import CHRF, COMET, COUNTED, difference_column
from mtpeft.metrics.names import DIGITS as METRIC_DIGITS

LARGEST_SHARE = 2.0
"""A method that trains the whole base and more beside it is above 1; what is far above it is meant as per cent."""
COSTS = ("trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "decode_sentences_per_second")
COUNTS = ("seeds", "step_zero", "diverged", "missing")


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval; both are the mean itself where the table has none.

    `digits` is how many stand after the point where it is told.
    """

    mean: float
    low: float
    high: float
    digits: int = 1

    def __neg__(self) -> "Interval":
        return Interval(-self.mean, -self.high, -self.low, self.digits)

    @property
    def told(self) -> str:
        """The mean as it is written beside a line."""
        return f"{self.mean:.{self.digits}f}"


@dataclass(frozen=True, order=True)
class Setting:
    """What stays the same within one panel."""

    model: str
    pair: str
    size: str
    test_set: str


@dataclass(frozen=True)
class System:
    """One row of a summary: the seeds of one method and budget in one setting, with the scores of one metric.

    Shares are of the base model; `seeds` counts runs with a score, of which `step_zero` kept the untouched model. The
    scores are those on the test sets of `scored_pair`, which is the pair of the setting unless the table says another.
    What was trained on a group of pairs stands in the setting of each as a system of its own, with the group in the
    name of its method; `tuned_on` is the label of the pair or the group.
    """

    setting: Setting
    method: str
    budget: str
    training_pairs: int | None
    seeds: int
    step_zero: int
    diverged: int
    missing: int
    share: float | None
    score: Interval | None
    minus_full: Interval | None
    minus_none: Interval | None
    costs: Mapping[str, float]
    scored_pair: str
    tuned_on: str


@dataclass(frozen=True)
class Distance:
    """Cosine distances of a language to English."""

    syntactic: float
    genealogical: float


def read_systems(path: Path, metric: str = CHRF) -> tuple[System, ...]:
    """Rows of a summary in one metric, sorted by setting, method and share.

    Raises:
        UserError: a column is missing, or a field does not hold what its column promises.
    """
    systems = [_system(row, metric) for row in rows_of(path, (*DIMENSIONS[:5], "test_set", *COUNTS, metric))]
    return tuple(sorted(systems, key=lambda own: (own.setting, own.method, own.share or 0.0, own.budget)))


def read_distances(path: Path) -> dict[str, Distance]:
    """Distances to English by language code."""
    return {
        row.text("language"): Distance(row.number("syntactic"), row.number("genealogical"))
        for row in rows_of(path, ("language", "syntactic", "genealogical"))
    }


def distances_of_languages(path: Path) -> dict[str, Distance]:
    """Distances to English by the code that a pair has for its language, `no` for the `nb` of the table."""
    return {main_language(code): distance for code, distance in read_distances(path).items()}


@dataclass(frozen=True)
class Row:
    """One line of a table with the place that an error message names."""

    path: Path
    line: int
    fields: Mapping[str, str]

    def text(self, column: str) -> str:
        """A field as it stands there."""
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
        return Interval(mean, mean if low is None else low, mean if high is None else high, digits)


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


def _system(row: Row, metric: str) -> System:
    counts = {name: row.number(name, int) for name in COUNTS}
    if counts["seeds"] and metric in COUNTED:
        row.number(metric)
    digits = METRIC_DIGITS[metric] if metric == COMET else 1
    differences = {f"minus_{to}": difference_column(metric, to) for to in ("full", "none")}
    costs = {name: row.optional(name) for name in COSTS}
    tuned_on = row.text("pair")
    scored_pair = row.fields.get("scored_pair") or tuned_on
    is_of_group = JOIN in tuned_on and scored_pair in members_of(tuned_on)
    pair = scored_pair if is_of_group else tuned_on
    return System(
        setting=Setting(row.text("model"), pair, row.text("size"), row.text("test_set")),
        method=on_group(row.text("method"), tuned_on) if is_of_group else row.text("method"),
        budget=row.text("budget"),
        training_pairs=row.optional("training_pairs", int),
        **counts,
        share=row.share("trained_share"),
        score=row.interval(metric, digits),
        **{name: row.interval(column, digits) for name, column in differences.items()},
        costs={name: cost for name, cost in costs.items() if cost is not None},
        scored_pair=scored_pair,
        tuned_on=tuned_on,
    )


ON_GROUP = " ("
"""Stands between the name of a method and that of the group of pairs that it was trained on."""


def on_group(method: str, group: str) -> str:
    """Name of a method that was trained on a group of pairs, which no label of the catalogue can be."""
    return f"{method}{ON_GROUP}{group})"
