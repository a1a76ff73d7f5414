"""Collect the records of cells into tidy tables: scores.csv, and costs.csv for what a rerun would measure anew."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.config.comet_settings import RECORD
from mtpeft.records import read_record, write_text

SCORE_COLUMNS = (
    *DIMENSIONS,
    "test_set",
    "status",
    "chrf",
    "bleu",
    "budget_requested",
    "budget_achieved",
    "trained_parameters",
    "total_parameters",
    "left_over_parameters",
    "best_step",
    "training_pairs",
    "learning_rate",
    "test_sentences",
    "chrf_signature",
    "bleu_signature",
)
AFTER_BLEU = SCORE_COLUMNS.index("bleu") + 1
WITH_COMET = (*SCORE_COLUMNS[:AFTER_BLEU], "comet", *SCORE_COLUMNS[AFTER_BLEU:], "comet_model")
"""The same where COMET was asked for."""
COST_COLUMNS = (
    *DIMENSIONS,
    "status",
    "trained_parameters",
    "stored_bytes",
    "peak_memory_mb",
    "train_seconds",
    "train_tokens_per_second",
    "decode_seconds",
    "decode_sentences_per_second",
    "device",
)
MISSING = "missing"
TEST_SET = "test"
"""Name of the test set of a cell that has no record yet."""


def write_tables(
    cells: Iterable[Cell],
    *,
    scores: Path,
    costs: Path,
    missing: Collection[Cell] = (),
    comet: Collection[Cell] | None = None,
) -> None:
    """One row per cell and test set, in the order of the labels; missing cells are rows that say so.

    Args:
        cells: with records.
        scores: where scores.csv goes.
        costs: where costs.csv goes.
        missing: cells without records.
        comet: cells that COMET has scored; None: it was not asked to, and has no columns.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    ordered = sorted({*cells, *missing})
    columns, found = SCORE_COLUMNS, {}
    if comet is not None:
        columns, found = WITH_COMET, {cell: _of_comet(cell) for cell in comet}
    score_table = (
        row for cell in ordered for row in (_gap(cell) if cell in missing else score_rows(cell, found.get(cell, {})))
    )
    write_text(scores, csv_text(columns, score_table))
    write_text(
        costs, csv_text(COST_COLUMNS, (_gap(cell)[0] if cell in missing else cost_row(cell) for cell in ordered))
    )


def _gap(cell: Cell) -> list[dict[str, Any]]:
    return [_labels(cell) | {"test_set": TEST_SET, "status": MISSING}]


def _labels(cell: Cell) -> dict[str, Any]:
    return dict(zip(DIMENSIONS, astuple(cell), strict=True))


def score_rows(cell: Cell, more: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of scores.csv of one cell, with more columns by test set; what was never measured stays empty."""
    labels = _labels(cell)
    train, score = (read_record(cell.folder / name) for name in ("train.json", "score.json"))
    taken = ("budget_requested", "budget_achieved", "trained_parameters", "total_parameters", "left_over_parameters")
    common = labels | {key: train[key] for key in (*taken, "best_step", "training_pairs", "learning_rate")}
    if score["status"] != "ok":
        yield common | {"test_set": TEST_SET, "status": score["status"]}
    for name, measured in sorted(score["test_sets"].items()):
        yield common | {
            "test_set": name,
            "status": score["status"],
            "chrf": measured["chrf"]["score"],
            "bleu": measured["bleu"]["score"],
            "chrf_signature": measured["chrf"]["signature"],
            "bleu_signature": measured["bleu"]["signature"],
            "test_sentences": measured["sentences"],
            **more.get(name, {}),
        }


def _of_comet(cell: Cell) -> dict[str, dict[str, Any]]:
    """Columns of COMET by test set."""
    record = read_record(cell.folder / RECORD)
    sets = record["test_sets"].items()
    return {name: {"comet": measured["score"], "comet_model": record["name"]} for name, measured in sets}


def cost_row(cell: Cell) -> dict[str, Any]:
    """Row of costs.csv of one cell."""
    labels = _labels(cell)
    train, decode = (read_record(cell.folder / name) for name in ("train.json", "decode.json"))
    taken = ("status", "trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds")
    return (
        labels
        | {key: train[key] for key in taken}
        | {
            "train_tokens_per_second": train["tokens_per_second"],
            "decode_seconds": decode["decode_seconds"],
            "decode_sentences_per_second": decode["sentences_per_second"],
            "device": decode["execution"].get("device", ""),
        }
    )


def csv_text(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a header; numbers in ten digits, empty where a row has no value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _written(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value
