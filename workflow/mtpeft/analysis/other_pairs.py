"""Catastrophic forgetting: one row per system and other pair that it was scored on, over its seeds.

`others.csv` has a header and these columns, empty where something was not measured:

- `model`, `pair`, `size`, `method`, `budget`: labels of the system, which was tuned on that pair.
- `scored_pair`, `test_set`: the pair and the test set that it was scored on.
- `training_pairs`, `seeds`, `step_zero`, `diverged`, `missing`, `trained_share`: as in `summary.csv`, of these scores.
- a column for each metric, such as `chrf` and `bleu`: mean over seeds; `_low` and `_high` end the 95 % interval over
  sentences and seeds.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning on the same pair and size, and of the untouched model,
  all of them on the scored pair; with `_low` and `_high`, and in `_p` the two-sided p-value of no difference. A
  negative `minus_none` is what was forgotten. `bleu_minus_full` and `bleu_minus_none`: the same in BLEU.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mtpeft.analysis.csv_files import csv_text
from mtpeft.analysis.summary import (
    COUNTED_COLUMNS,
    LABELS,
    estimate_columns,
    estimates_in,
    page_columns,
    page_row,
    system_rows,
)
from mtpeft.analysis.systems import CellMetrics, read_run
from mtpeft.cells import Cell, OnPair
from mtpeft.core.files import write_text
from mtpeft.core.text_tables import table
from mtpeft.metrics.base import ALWAYS

OTHER_LABELS = (*LABELS, "scored_pair", "test_set")


def others_columns(metrics: Sequence[str] = ALWAYS) -> tuple[str, ...]:
    """Columns of `others.csv` in these metrics."""
    return (*OTHER_LABELS, *COUNTED_COLUMNS, *estimate_columns(estimates_in(metrics)))


def write_others(
    others: Iterable[OnPair],
    *,
    before: Iterable[Cell],
    output: Path,
    page: Path,
    missing: Collection[OnPair] = (),
    metrics: CellMetrics | None = None,
) -> None:
    """Write `others.csv` and the same as a table to read, `others.md`.

    Args:
        others: tuned cells on other pairs than their own.
        before: the untouched models on these pairs.
        output: where the CSV goes.
        page: where the Markdown goes.
        missing: those without records, and untouched models on their pairs that have none.
        metrics: metrics that the cells were scored with.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    wanted, known = sorted(set(others)), [cell.on_own for cell in before]
    metrics = metrics or CellMetrics()
    estimates = estimates_in(metrics.names)
    rows = [
        row
        for pair in sorted({pair for _, pair in wanted})
        for row in _rows_on(pair, wanted, known, missing=missing, metrics=metrics)
    ]
    rows.sort(key=lambda row: [row[name] for name in OTHER_LABELS])
    write_text(output, csv_text(others_columns(metrics.names), rows))
    header = [name.replace("_", " ") for name in OTHER_LABELS]
    write_text(
        page,
        table([*header, *page_columns(estimates)], (page_row(row, OTHER_LABELS, estimates) for row in rows)) + "\n",
    )


def _rows_on(
    pair: str, others: Iterable[OnPair], known: Iterable[OnPair], *, missing: Collection[OnPair], metrics: CellMetrics
) -> Iterator[dict[str, Any]]:
    """Rows of the tuned systems on one pair; the untouched model, which is compared with, has its own elsewhere."""
    tuned = [other for other in others if other.pair == pair]
    before = [on for on in known if on.pair == pair]
    runs = {on.cell: read_run(on, is_missing=on in missing, metrics=metrics) for on in [*tuned, *before]}
    for system, row in system_rows(runs, pair):
        if system.runs[0].cell.on_own not in before:
            yield row | {"scored_pair": pair}
