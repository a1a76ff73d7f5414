"""Read the three tables from which every figure is drawn into plain rows."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.errors import UserError

OK, DIVERGED, MISSING = "ok", "diverged", "missing"
STATUSES = (OK, DIVERGED, MISSING)
DISTANCES = Path(__file__).parents[2] / "distances" / "lang2vec.csv"


@dataclass(frozen=True)
class Score:
    """One cell on one test set; budgets are shares of the base model's parameters between 0 and 1."""

    cell: Cell
    test_set: str
    status: str
    chrf: float | None
    bleu: float | None
    budget_requested: float | None
    budget_achieved: float | None
    trained_parameters: int | None
    total_parameters: int | None
    best_step: int | None
    training_pairs: int | None


@dataclass(frozen=True)
class Cost:
    """What one cell cost; None where the step that measures it has not run."""

    cell: Cell
    status: str
    trained_parameters: float | None
    stored_bytes: float | None
    peak_memory_mb: float | None
    train_seconds: float | None
    decode_sentences_per_second: float | None


@dataclass(frozen=True)
class Distance:
    """Cosine distances of a language to English."""

    syntactic: float
    genealogical: float


@dataclass(frozen=True)
class Tables:
    """All that a figure may look at."""

    scores: tuple[Score, ...]
    costs: tuple[Cost, ...]
    distances: Mapping[str, Distance]


def read_tables(*, scores: Path, costs: Path) -> Tables:
    """Read the tables of a study, and that of the distances between languages, which comes with the project.

    Raises:
        UserError: a column is missing, or a field does not hold what its column promises.
    """
    return Tables(
        scores=tuple(_score(row) for row in _rows(scores, (*DIMENSIONS, "test_set", "status", "chrf"))),
        costs=tuple(_cost(row) for row in _rows(costs, (*DIMENSIONS, "status"))),
        distances=read_distances(DISTANCES),
    )


def read_distances(path: Path) -> dict[str, Distance]:
    """Distances to English by two-letter language code."""
    return {
        row.text("language"): Distance(row.number("syntactic"), row.number("genealogical"))
        for row in _rows(path, ("language", "syntactic", "genealogical"))
    }


@dataclass(frozen=True)
class _Row:
    """One line of a table with the place that an error message names."""

    path: Path
    line: int
    fields: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.fields[column]

    def optional(self, column: str, convert: Callable[[str], Any]) -> Any:
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

    def number(self, column: str) -> float:
        value = self.optional(column, float)
        if value is None:
            raise UserError(f"{self.path} line {self.line}: column {column} is empty; write a number.")
        return value

    def count(self, column: str) -> int | None:
        return self.optional(column, lambda text: int(float(text)))

    def share(self, column: str) -> float | None:
        value = self.optional(column, float)
        if value is not None and not 0 <= value <= 1:
            raise UserError(
                f"{self.path} line {self.line}: {column} is {value:g}; write a share of the base model between 0 and 1."
            )
        return value

    def status(self) -> str:
        status = self.fields["status"]
        if status not in STATUSES:
            raise UserError(f"{self.path} line {self.line}: status '{status}'; write one of {', '.join(STATUSES)}.")
        return status


def _rows(path: Path, required: tuple[str, ...]) -> Iterator[_Row]:
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, restval="")
        absent = [column for column in required if column not in (reader.fieldnames or ())]
        if absent:
            raise UserError(f"{path} line 1: the header lacks {', '.join(absent)}; write a comma-separated header.")
        for fields in reader:
            yield _Row(path, reader.line_num, fields)


def _cell(row: _Row) -> Cell:
    return Cell(*(row.text(dimension) for dimension in DIMENSIONS))


def _score(row: _Row) -> Score:
    status = row.status()
    return Score(
        cell=_cell(row),
        test_set=row.text("test_set"),
        status=status,
        chrf=row.number("chrf") if status == OK else None,
        bleu=row.optional("bleu", float) if status == OK else None,
        budget_requested=row.share("budget_requested"),
        budget_achieved=row.share("budget_achieved"),
        trained_parameters=row.count("trained_parameters"),
        total_parameters=row.count("total_parameters"),
        best_step=row.count("best_step"),
        training_pairs=row.count("training_pairs"),
    )


def _cost(row: _Row) -> Cost:
    return Cost(
        cell=_cell(row),
        status=row.status(),
        trained_parameters=row.optional("trained_parameters", float),
        stored_bytes=row.optional("stored_bytes", float),
        peak_memory_mb=row.optional("peak_memory_mb", float),
        train_seconds=row.optional("train_seconds", float),
        decode_sentences_per_second=row.optional("decode_sentences_per_second", float),
    )
