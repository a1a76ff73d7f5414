"""The table of a study's systems that are decoded with some of their experts; `served_systems` reads it.

`serving.csv` has a row for each system, test set and number of active experts, and these columns, empty where something
was not measured:

- `model`, `pair`, `size`, `method`, `budget`, `test_set`: labels of the system.
- `active`, `experts`: experts that each token has, and all of them; `share` is the one by the other.
- `training_pairs`, `seeds`, `step_zero`, `diverged`, `missing`, `trained_share`, `places`: as in `summary.csv`.
- a column for each metric, such as `chrf`: mean over seeds; `_low` and `_high` end the 95 % interval over sentences and
  seeds.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning and of the untouched model, both with as many of their
  own experts; `minus_whole`: minus that of the same cells with whole feed-forward blocks; with `_low` and `_high`, and
  in `_p` the two-sided p-value of no difference. `bleu_minus_full` and so on: the same in other metrics.
- `active_units`: share of the hidden units that are not zero, mean over blocks and tokens of training sentences.
- `operations`: of feed-forward blocks and routers, counted, as a share of those of whole blocks.
- `decode_seconds`, `processor_seconds`: for all test sets of a cell, as measured; `sentences_per_second`.

The last five are means over the runs with a score.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.csv_files import csv_text
from mtpeft.analysis.estimates import contrast
from mtpeft.analysis.p_values import interval, p_two_sided
from mtpeft.analysis.read_tables import difference_column
from mtpeft.analysis.score_tables import CellMetrics
from mtpeft.analysis.summary import COUNTED_COLUMNS, LABELS, estimate_columns, estimates_in, system_rows
from mtpeft.analysis.systems import Sample, ScoredRun, SystemRuns, read_run
from mtpeft.cells import Cell, Served
from mtpeft.core.files import read_record, write_text
from mtpeft.metrics.base import ALWAYS

WHOLE = "whole"
SERVED_LABELS = (*LABELS, "test_set", "active", "experts", "share")
MEASURED = ("active_units", "operations", "decode_seconds", "processor_seconds", "sentences_per_second")


def serving_columns(metrics: Iterable[str] = ALWAYS) -> tuple[str, ...]:
    """Columns of `serving.csv` in these metrics."""
    names = tuple(metrics)
    estimates = (*estimates_in(names), *(difference_column(metric, WHOLE) for metric in names))
    return (*SERVED_LABELS, *COUNTED_COLUMNS, *estimate_columns(estimates), *MEASURED)


def write_serving(
    served: Iterable[Served],
    *,
    experts: int,
    output: Path,
    missing: Collection[Served] = (),
    metrics: CellMetrics | None = None,
) -> None:
    """Write the table, in the order of the labels.

    Args:
        served: cells with the numbers of experts that are active.
        experts: number of all experts.
        output: where the table goes.
        missing: those without records, their own or those of the cell as it is.
        metrics: metrics that the cells were scored with.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    wanted, metrics = sorted(set(served)), metrics or CellMetrics()
    rows = [
        row | {"active": active, "experts": experts, "share": active / experts}
        for active in sorted({own.active for own in wanted}, reverse=True)
        for row in _rows([own for own in wanted if own.active == active], missing=missing, metrics=metrics)
    ]
    rows.sort(key=lambda row: [row[name] for name in (*LABELS, "test_set")])
    write_text(output, csv_text(serving_columns(metrics.names), rows))


def _rows(served: Iterable[Served], *, missing: Collection[Served], metrics: CellMetrics) -> Iterator[dict[str, Any]]:
    """Rows of systems with one number of active experts."""
    places = {own.cell: own for own in served}
    runs = {cell: read_run(own, is_missing=own in missing, metrics=metrics) for cell, own in places.items()}
    whole = {cell: read_run(cell.on_own, is_missing=own in missing, metrics=metrics) for cell, own in places.items()}
    for system, row in system_rows(runs):
        yield (
            row
            | _minus_whole(system, whole, row["test_set"])
            | _measured([places[run.cell] for run in system.measured])
        )


def _minus_whole(system: SystemRuns, whole: Mapping[Cell, ScoredRun], test_set: str) -> dict[str, float]:
    """Differences of a system to the same cells with whole blocks, by column."""
    if not system.measured:
        return {}
    same = SystemRuns(tuple(whole[run.cell] for run in system.measured))
    found: dict[str, float] = {}
    for metric in system.metrics:
        sentences = system.statistics(test_set, metric).shape[1]
        sample = Sample(test_set, sentences, np.arange(sentences), stream=f"{system.runs[0].cell.pair} {test_set}")
        terms = [(1.0, sample.score(system, metric)), (-1.0, sample.score(same, metric))]
        estimate = contrast(terms, sentences=sentences, stream=sample.stream)
        values = (estimate.effect, *interval(estimate.samples), p_two_sided(estimate.samples))
        name = difference_column(metric, WHOLE)
        found |= dict(zip((f"{name}{end}" for end in ("", "_low", "_high", "_p")), values, strict=True))
    return found


def _measured(served: Iterable[Served]) -> dict[str, float]:
    """Means of what was counted and measured of cells; nothing where there are none."""
    found: dict[str, list[float]] = {name: [] for name in MEASURED}
    for own in served:
        split, record = read_record(own.split / "experts.json"), read_record(own.folder / "served.json")
        counts = record["operations"]
        values = {
            "active_units": float(np.mean([*split["active_units"].values()])),
            "operations": (counts["layers"] + counts["router"]) / counts["whole"],
            **{name: record[name] for name in MEASURED[2:]},
        }
        for name, value in values.items():
            found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}
