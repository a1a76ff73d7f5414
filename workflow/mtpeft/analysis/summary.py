"""Summaries of studies: one row per system, that is per model, pair, size, method and budget, over its seeds.

`summary.csv` has a header and these columns, empty where something was not measured:

- `model`, `pair`, `size`, `method`, `budget`, `test_set`: labels; `any` where one means nothing.
- `scored_pair`, before `test_set`, only where there are groups of pairs: what was scored, each pair of a group in turn.
- `training_pairs`: sentence pairs the system was trained on.
- `seeds`: runs with a score; `diverged`, `missing`: runs without; `step_zero`: runs that kept the untouched model.
- `trained_share`, `trained_parameters`: what was trained, as a share of the base model and as a count; `places`: in
  how many of the places of its method, which a small budget may not all reach.
- `chrf`, `bleu`: mean over seeds; `_low` and `_high` end the 95 % interval over sentences and seeds.
- `comet` with `comet_low` and `comet_high`, after `bleu`: the same for COMET, only where the configuration asks for it.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning of the same model, pair or group, and size, and of the
  untouched model, over the seeds that both have; with `_low` and `_high`, and in `_p` the two-sided p-value of there
  being no difference, not corrected. `bleu_minus_full`, `bleu_minus_none`, and the same of `comet`: in those metrics.
- `stored_bytes`, `peak_memory_mb`, `train_seconds`, `decode_sentences_per_second`: what it cost.

Shares and costs are means over the runs with a score.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.collect import SCORED_PAIR, cost_row, csv_text, with_scored_pair
from mtpeft.analysis.comet_scores import METRIC, with_comet
from mtpeft.analysis.estimates import (
    COUNTED_COLUMNS,
    ESTIMATES,
    LABELS,
    estimate_columns,
    estimates_in,
    shown,
    shown_columns,
    system_rows,
)
from mtpeft.analysis.systems import System, read_run, read_runs
from mtpeft.analysis.tables import COSTS
from mtpeft.cells import Cell, OnPair
from mtpeft.config.studies import untouched
from mtpeft.core.files import write_text
from mtpeft.core.text_tables import table
from mtpeft.metrics.names import COUNTED

WITH_COMET = estimates_in((*COUNTED, METRIC))


def columns_of(estimates: Sequence[str]) -> tuple[str, ...]:
    """Columns of a summary with these estimates."""
    return (*LABELS, "test_set", *COUNTED_COLUMNS, *estimate_columns(estimates), *COSTS)


SUMMARY_COLUMNS = columns_of(ESTIMATES)


def write_summary(
    cells: Iterable[Cell],
    *,
    output: Path,
    page: Path,
    missing: Collection[Cell] = (),
    comet: Collection[Cell] | None = None,
) -> None:
    """Write `summary.csv` and the same as a table to read, `summary.md`.

    Args:
        cells: with records.
        output: where the table goes.
        page: where the table to read goes.
        missing: cells without records.
        comet: cells that COMET has scored; None: it was not asked to, and has no columns.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    ordered, estimates = sorted({*cells, *missing}), ESTIMATES if comet is None else WITH_COMET
    rows = list(summary_rows(ordered, missing, comet or ()))
    write_text(output, csv_text(with_scored_pair(columns_of(estimates), ordered), rows))
    labels = with_scored_pair((*LABELS, "test_set"), ordered)
    header = [*(name.replace("_", " ") for name in labels), *shown_columns(estimates), "seconds"]
    lines = ([*shown(row, labels, estimates), _seconds(row)] for row in rows)
    write_text(page, table(header, lines) + "\n")


def summary_rows(
    cells: Sequence[Cell], missing: Collection[Cell] = (), comet: Collection[Cell] = ()
) -> list[dict[str, Any]]:
    """One row per system and test set, of a group for each of its pairs, in the order of the labels."""
    groups = [cell for cell in cells if cell.is_group]
    runs = with_comet(read_runs([cell for cell in cells if not cell.is_group], missing), comet)
    rows = [row | {SCORED_PAIR: row["pair"]} | _costs(system) for system, row in system_rows(runs)]
    for pair in sorted({pair for cell in groups for pair in cell.members}):
        own = [cell for cell in groups if pair in cell.members]
        there = {cell: read_run(OnPair(cell, pair), is_missing=cell in missing) for cell in own}
        before = {
            cell: runs[cell] for cell in dict.fromkeys(untouched(cell.model, pair) for cell in own) if cell in runs
        }
        for system, row in system_rows(with_comet(there, comet) | before, pair):
            if system.runs[0].cell not in before:
                rows.append(row | {SCORED_PAIR: pair} | _costs(system))
    return sorted(rows, key=lambda row: [row[name] for name in (*LABELS, SCORED_PAIR)]) if groups else rows


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
