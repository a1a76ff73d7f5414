"""Read what the page of a study file shows: its tables, its findings, and notes on the cells that have no score."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.analysis.csv_files import rows_of
from mtpeft.analysis.findings.records import FindingsRecord
from mtpeft.analysis.read_tables import System, on_group, read_systems
from mtpeft.analysis.score_tables import MISSING
from mtpeft.cells import DIMENSIONS, Cell, OnPair
from mtpeft.config.metrics import metrics_of
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.failure_notes import FAILURE
from mtpeft.core.files import read_if_whole
from mtpeft.metrics.base import METRICS, in_order
from mtpeft.steps.cells_of_studies import placed_cells, preview_folder, results_folder

SUMMARY, SCORES, COSTS, FINDINGS = "summary.csv", "scores.csv", "costs.csv", "findings.json"
FAILED, STARTED = "failed", "started"
"""States of cells without records, besides `missing`."""
TableRow = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class ScoredCell:
    """A cell on the test set of a pair, with its rows of the tables; equal to itself alone.

    Attributes:
        on: the cell and the pair.
        test_set: name of the test set.
        status: `ok`, `diverged`, `failed`, `started` or `missing`.
        reason: why it failed, or nothing.
        scores: its row of `scores.csv`.
        costs: its row of `costs.csv`.
    """

    on: OnPair
    test_set: str
    status: str
    reason: str
    scores: TableRow
    costs: TableRow

    @property
    def method(self) -> str:
        """The method, with the group of pairs that the cell was trained on, as the summary has it."""
        own = self.on.cell
        return on_group(own.method, own.pair) if own.is_group else own.method

    @property
    def key(self) -> str:
        """The name of the cell on the page, which is that of its script as well."""
        return str(self.on.folder.relative_to("results/cells"))


@dataclass(frozen=True)
class Results:
    """Everything that the page of a study file shows but translations.

    Attributes:
        configuration: of the study file.
        folder: of its tables.
        cells: all cells, on each pair that they are trained on and each test set.
        systems: rows of the summary, in each metric that the table has.
        findings: the record of its claims, if there is one.
    """

    configuration: Configuration
    folder: Path
    cells: Sequence[ScoredCell]
    systems: Mapping[str, Sequence[System]]
    findings: FindingsRecord | None

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that the tables have."""
        return list(self.systems)


def read_results(configuration: Configuration) -> Results:
    """Read the tables of a sweep or, where they are newer, those of its preview.

    Raises:
        UserError: there are no tables yet, or one can't be read.
    """
    folder = _newest_tables(configuration)
    summary = folder / SUMMARY
    findings = (preview_folder(configuration) if folder != results_folder(configuration) else folder) / FINDINGS
    read = read_if_whole(findings)
    return Results(
        configuration=configuration,
        folder=folder,
        cells=list(_cells(configuration, folder)),
        systems={metric: read_systems(summary, metric) for metric in _metrics_in(summary, configuration)},
        findings=FindingsRecord.model_validate(read[0]) if read else None,
    )


def _newest_tables(configuration: Configuration) -> Path:
    places = (results_folder(configuration), preview_folder(configuration) / "tables" / "efficiency")
    found = [place for place in places if all((place / name).is_file() for name in (SUMMARY, SCORES, COSTS))]
    if not found:
        raise UserError(
            f"{places[0]} has no tables yet; `make figures` writes them, and `make preview` does so while cells run."
        )
    return max(found, key=lambda place: (place / SUMMARY).stat().st_mtime)


def _metrics_in(summary: Path, configuration: Configuration) -> list[str]:
    with summary.open(encoding="utf-8", newline="") as stream:
        header = next(csv.reader(stream), [])
    known = {*METRICS, *metrics_of(configuration)}
    return in_order(name for name in known if name in header)


def _cells(configuration: Configuration, folder: Path) -> Iterator[ScoredCell]:
    """Cells of the study file with their rows of the tables; one that a table lacks is missing."""
    costs = {_labels(row.fields): row.fields for row in rows_of(folder / COSTS, DIMENSIONS)}
    scores: dict[tuple[str, ...], list[TableRow]] = {}
    for row in rows_of(folder / SCORES, (*DIMENSIONS, "test_set", "status")):
        pair = row.fields.get("scored_pair") or row.fields["pair"]
        scores.setdefault((*_labels(row.fields), pair), []).append(row.fields)
    for cell in placed_cells(configuration):
        for on in cell.measured:
            for row in scores.get((*cell.labels, on.pair)) or [{"test_set": "test", "status": MISSING}]:
                status, reason = _state(cell, row["status"])
                yield ScoredCell(on, row["test_set"], status, reason, row, costs.get(cell.labels, {}))


def _labels(fields: TableRow) -> tuple[str, ...]:
    return tuple(fields[name] for name in DIMENSIONS)


def _state(cell: Cell, status: str) -> tuple[str, str]:
    """The state of a cell, and why it failed: a table knows of a cell without records only that they are missing."""
    if status != MISSING:
        return status, ""
    note = read_if_whole(cell.folder / FAILURE)
    if note:
        return FAILED, str(note[0].get("reason", ""))
    return (STARTED if (cell.folder / "state").exists() else MISSING), ""
