"""Collect the records of cells into tidy tables: scores.csv, and costs.csv, whose times differ by run."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import Any

from mtpeft.analysis.csv_files import csv_text
from mtpeft.cells import DIMENSIONS, Cell, OnPair
from mtpeft.core.files import read_record, write_text
from mtpeft.metrics.base import ALWAYS, in_order, metrics_in
from mtpeft.metrics.hypothesis_shares import SHARES

BEFORE_METRICS = (*DIMENSIONS, "test_set", "status")
AFTER_METRICS = (
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
)
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
    "source_tokens_per_sentence",
    "device",
)
DIVERGED, MISSING = "diverged", "missing"
TEST_SET = "test"
"""Name of the test set of a cell that has no record yet."""


@dataclass(frozen=True)
class CellMetrics:
    """Metrics that some cells were scored with.

    Attributes:
        computed: names of the metrics that stand in every `score.json`.
        scored: cells that a metric with a step of its own has scored, by the metric's name; a metric that was not asked
            for is not in it.
    """

    computed: Sequence[str] = ALWAYS
    scored: Mapping[str, Collection[Cell]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of all metrics, in the order of tables."""
        return in_order({*self.computed, *self.scored})


def metrics_of_params(params: Mapping[str, Any], cells: Collection[Cell]) -> CellMetrics:
    """Metrics of a step that reads all these cells, from its params."""
    return CellMetrics(metrics_in(params), dict.fromkeys(params.get("scored_with", {}), cells))


def write_tables(
    cells: Iterable[Cell],
    *,
    scores: Path,
    costs: Path,
    missing: Collection[Cell] = (),
    metrics: CellMetrics | None = None,
) -> None:
    """Write scores.csv and costs.csv, in the order of the labels; a row of a missing cell has that status.

    scores.csv has one row per cell and test set, of a group for each of its pairs.

    Args:
        cells: those with records.
        scores: where scores.csv goes.
        costs: where costs.csv goes.
        missing: cells without records.
        metrics: metrics that the cells were scored with.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    ordered = sorted({*cells, *missing})
    metrics = metrics or CellMetrics()
    score_table = (
        row
        for cell in ordered
        for on in cell.measured
        for row in ([_gap(on)] if cell in missing else score_rows(on, metrics))
    )
    write_text(scores, csv_text(with_scored_pair(score_columns(metrics), ordered), score_table))
    write_text(
        costs,
        csv_text(COST_COLUMNS, (_gap(cell.on_own) if cell in missing else cost_row(cell) for cell in ordered)),
    )


def score_columns(metrics: CellMetrics | None = None) -> tuple[str, ...]:
    """Columns of scores.csv: labels, scores, trained parameters, shares of odd hypotheses, and signatures."""
    metrics = metrics or CellMetrics()
    signatures = [f"{name}_signature" for name in in_order(metrics.computed)]
    models = [f"{name}_model" for name in in_order(metrics.scored)]
    return (*BEFORE_METRICS, *metrics.names, *AFTER_METRICS, *signatures, *models)


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


def score_rows(measured: OnPair, metrics: CellMetrics) -> Iterator[dict[str, Any]]:
    """Rows of scores.csv of a cell on a pair; what was never measured stays empty."""
    cell = measured.cell
    labels = _labels(cell) | {SCORED_PAIR: measured.pair}
    train, score = read_record(cell.folder / "train.json"), read_record(measured.folder / "score.json")
    taken = ("budget_requested", "budget_achieved", "trained_parameters", "total_parameters", "left_over_parameters")
    common = labels | {key: train[key] for key in (*taken, "best_step", "training_pairs", "learning_rate")}
    common["places"] = train.get("places", "")
    if score["status"] != "ok":
        yield common | {"test_set": TEST_SET, "status": score["status"]}
    more = [_own_step_columns(measured, name) for name, scored in metrics.scored.items() if cell in scored]
    for name, scored in sorted(score["test_sets"].items()):
        row = common | {"test_set": name, "status": score["status"], "test_sentences": scored["sentences"]}
        row |= scored.get("shares", {})
        for metric in metrics.computed:
            row |= {metric: scored[metric]["score"], f"{metric}_signature": scored[metric]["signature"]}
        for columns in more:
            row |= columns.get(name, {})
        yield row


def _own_step_columns(measured: OnPair, metric: str) -> dict[str, dict[str, Any]]:
    """Columns of a metric with a step of its own, by test set: the score, and the model that gave it."""
    record = read_record(measured.metric_record(metric))
    sets = record["test_sets"].items()
    return {name: {metric: scored["score"], f"{metric}_model": record["name"]} for name, scored in sets}


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
            "source_tokens_per_sentence": _source_tokens(decodes),
            "device": decodes[0]["execution"].get("device", ""),
        }
    )


def _source_tokens(decodes: Sequence[Mapping[str, Any]]) -> float | str:
    """Tokens that a model has read for a sentence of the test sets, with examples; empty where none was read."""
    read = [own for decode in decodes for own in decode["test_sets"].values() if "tokens" in own]
    sentences = sum(own["sentences"] for own in read)
    return sum(own["tokens"]["source"]["tokens"] for own in read) / sentences if sentences else ""


def _speed(decodes: Sequence[Mapping[str, Any]], seconds: float) -> float:
    """Sentences per second of some decodings together, which took so many seconds."""
    if len(decodes) == 1:
        return decodes[0]["sentences_per_second"]
    sentences = sum(sets["sentences"] for decode in decodes for sets in decode["test_sets"].values())
    return sentences / seconds if seconds else 0.0
