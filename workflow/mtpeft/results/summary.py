"""Summaries of studies: one row per system, that is per model, pair, size, method and budget, over its seeds.

`summary.csv` has a header and these columns, empty where something was not measured:

- `model`, `pair`, `size`, `method`, `budget`, `test_set`: labels; `any` where one means nothing.
- `training_pairs`: sentence pairs the system was trained on.
- `seeds`: runs with a score; `diverged`, `missing`: runs without; `step_zero`: runs that kept the untouched model.
- `trained_share`, `trained_parameters`: what was trained, as a share of the base model and as a count.
- `chrf`, `bleu`: mean over seeds; `_low` and `_high` end the 95 % interval over sentences and seeds.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning of the same model, pair and size, and of the untouched
  model, over the seeds that both have; with `_low` and `_high`.
- `stored_bytes`, `peak_memory_mb`, `train_seconds`, `decode_sentences_per_second`: what it cost.

Shares and costs are means over the runs with a score.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.cells import Cell
from mtpeft.markdown import table
from mtpeft.records import write_text
from mtpeft.results.collect import cost_row, csv_text
from mtpeft.results.estimates import COUNTED_COLUMNS, ESTIMATE_COLUMNS, LABELS, SHOWN_COLUMNS, shown, system_rows
from mtpeft.results.systems import System, read_runs

COSTS = ("trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "decode_sentences_per_second")
SUMMARY_COLUMNS = (*LABELS, "test_set", *COUNTED_COLUMNS, *ESTIMATE_COLUMNS, *COSTS)


def write_summary(cells: Iterable[Cell], *, output: Path, page: Path, missing: Collection[Cell] = ()) -> None:
    """Write `summary.csv` and the same as a table to read, `summary.md`.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    rows = list(summary_rows(cells, missing))
    write_text(output, csv_text(SUMMARY_COLUMNS, rows))
    header = [*LABELS, "test set", *SHOWN_COLUMNS, "seconds"]
    lines = ([*shown(row, (*LABELS, "test_set")), _seconds(row)] for row in rows)
    write_text(page, table(header, lines) + "\n")


def summary_rows(cells: Iterable[Cell], missing: Collection[Cell] = ()) -> Iterator[dict[str, Any]]:
    """One row per system and test set, in the order of the labels."""
    runs = read_runs(sorted({*cells, *missing}), missing)
    return (row | _costs(system) for system, row in system_rows(runs))


def _costs(system: System) -> dict[str, float]:
    """Mean costs of the runs with a score; empty where none has one, or where nothing was trained or decoded."""
    found: dict[str, list[float]] = {name: [] for name in COSTS}
    for run in system.measured:
        for name, value in cost_row(run.cell).items():
            if name in found and value is not None:
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _seconds(row: Mapping[str, Any]) -> str:
    seconds = row.get("train_seconds")
    return "" if seconds is None else f"{seconds:.0f}"
