"""Collect the records of cells into tidy tables: scores.csv, and costs.csv for what a rerun would measure anew."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import fsum
from pathlib import Path
from typing import Any

from mtpeft.cells import DIMENSIONS, Cell, OnPair
from mtpeft.core.files import read_record, write_text
from mtpeft.metrics.shares import SHARES

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
    "places",
    "best_step",
    "training_pairs",
    "learning_rate",
    "test_sentences",
    *SHARES,
    "chrf_signature",
    "bleu_signature",
)
AFTER_BLEU = SCORE_COLUMNS.index("bleu") + 1
WITH_COMET = (*SCORE_COLUMNS[:AFTER_BLEU], "comet", *SCORE_COLUMNS[AFTER_BLEU:], "comet_model")
"""The same where COMET was asked for."""
SCORED_PAIR = "scored_pair"
"""Column of the pair that was scored, only where there are groups: it is the pair of all other cells."""
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
DIVERGED, MISSING = "diverged", "missing"
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
    """One row per cell and test set, of a group for each of its pairs, in the order of the labels; missing cells are
    rows that say so.

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
        columns, found = WITH_COMET, {on: _of_comet(on) for cell in comet for on in cell.measured}
    score_table = (
        row
        for cell in ordered
        for on in cell.measured
        for row in ([_gap(on)] if cell in missing else score_rows(on, found.get(on, {})))
    )
    write_text(scores, csv_text(with_scored_pair(columns, ordered), score_table))
    write_text(
        costs,
        csv_text(COST_COLUMNS, (_gap(cell.on_own) if cell in missing else cost_row(cell) for cell in ordered)),
    )


def with_scored_pair(columns: tuple[str, ...], cells: Iterable[Cell]) -> tuple[str, ...]:
    """Columns of a table of cells, with one for the pair that was scored before the test set if there are groups."""
    if not any(cell.is_group for cell in cells):
        return columns
    place = columns.index("test_set")
    return (*columns[:place], SCORED_PAIR, *columns[place:])


def _gap(measured: OnPair) -> dict[str, Any]:
    return _labels(measured.cell) | {SCORED_PAIR: measured.pair, "test_set": TEST_SET, "status": MISSING}


def _labels(cell: Cell) -> dict[str, Any]:
    return dict(zip(DIMENSIONS, cell.labels, strict=True))


def score_rows(measured: OnPair, more: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of scores.csv of a cell on a pair, with more columns by test set; what was never measured stays empty."""
    labels = _labels(measured.cell) | {SCORED_PAIR: measured.pair}
    train, score = read_record(measured.cell.folder / "train.json"), read_record(measured.folder / "score.json")
    taken = ("budget_requested", "budget_achieved", "trained_parameters", "total_parameters", "left_over_parameters")
    common = labels | {key: train[key] for key in (*taken, "best_step", "training_pairs", "learning_rate")}
    common["places"] = train.get("places", "")
    if score["status"] != "ok":
        yield common | {"test_set": TEST_SET, "status": score["status"]}
    for name, scored in sorted(score["test_sets"].items()):
        yield common | {
            "test_set": name,
            "status": score["status"],
            "chrf": scored["chrf"]["score"],
            "bleu": scored["bleu"]["score"],
            "chrf_signature": scored["chrf"]["signature"],
            "bleu_signature": scored["bleu"]["signature"],
            "test_sentences": scored["sentences"],
            **scored.get("shares", {}),
            **more.get(name, {}),
        }


def _of_comet(measured: OnPair) -> dict[str, dict[str, Any]]:
    """Columns of COMET by test set."""
    record = read_record(measured.comet_record)
    sets = record["test_sets"].items()
    return {name: {"comet": scored["score"], "comet_model": record["name"]} for name, scored in sets}


def cost_row(cell: Cell) -> dict[str, Any]:
    """Row of costs.csv of one cell; the decoding of a group is that of all its pairs."""
    labels, train = _labels(cell), read_record(cell.folder / "train.json")
    decodes = [read_record(measured.folder / "decode.json") for measured in cell.measured]
    seconds = fsum(decode["decode_seconds"] for decode in decodes)
    taken = ("status", "trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds")
    return (
        labels
        | {key: train[key] for key in taken}
        | {
            "train_tokens_per_second": train["tokens_per_second"],
            "decode_seconds": seconds,
            "decode_sentences_per_second": _speed(decodes, seconds),
            "device": decodes[0]["execution"].get("device", ""),
        }
    )


def _speed(decodes: Sequence[Mapping[str, Any]], seconds: float) -> float:
    """Sentences per second of some decodings together, which took so many seconds."""
    if len(decodes) == 1:
        return decodes[0]["sentences_per_second"]
    sentences = sum(sets["sentences"] for decode in decodes for sets in decode["test_sets"].values())
    return sentences / seconds if seconds else 0.0


def csv_text(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a header; numbers in ten digits, empty where a row has no value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _written(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value
