"""Summaries of studies: one row per system, that is per model, pair, size, method and budget, over its seeds.

`summary.csv` has a header and these columns, empty where something was not measured:

- `model`, `pair`, `size`, `method`, `budget`, `test_set`: labels; `any` where one means nothing.
- `scored_pair`, before `test_set`, only where there are groups of pairs: the scored pair, each one of a group in turn.
- `training_pairs`: sentence pairs that the system was trained on.
- `seeds`: runs with a score; `diverged`, `missing`: runs without one; `step_zero`: runs that kept the untouched model.
- `trained_share`, `trained_parameters`: what was trained, as a share of the base model and as a count; `places`: in
  how many of the modules of its method, since a small budget may not reach all of them.
- a column for each metric, such as `chrf` and `bleu`: mean over seeds; `_low` and `_high` end the 95 % interval over
  sentences and seeds. Metrics besides chrF and BLEU have columns only where the configuration asks for them.
- `minus_full`, `minus_none`: chrF minus that of full fine-tuning of the same model, pair or group, and size, and of the
  untouched model, over the seeds that both have; with `_low` and `_high`, and in `_p` the two-sided p-value of no
  difference, not corrected. `bleu_minus_full`, `bleu_minus_none` and so on: the same in the other metrics.
- `chrf_sentences_low`, `chrf_sentences_high` and `chrf_runs`, behind the costs, for each metric: the 95 % interval over
  sentences alone, and the score of each seed.
- `stored_bytes`, `peak_memory_mb`, `train_seconds`, `decode_sentences_per_second`: what it cost.

Shares and costs are means over the runs with a score.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.analysis.csv_files import RUNS, SENTENCE_ENDS, csv_text
from mtpeft.analysis.estimates import Term, contrast, matched_seeds
from mtpeft.analysis.p_values import interval, p_two_sided
from mtpeft.analysis.read_tables import COSTS, difference_column
from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.score_tables import MISSING, SCORED_PAIR, TEST_SET, cost_row, with_scored_pair
from mtpeft.analysis.systems import CellMetrics, Sample, ScoredRun, SystemRuns, read_run, read_runs
from mtpeft.cells import DIMENSIONS, Cell, OnPair
from mtpeft.config.studies import system_labels, untouched
from mtpeft.core.files import write_text
from mtpeft.core.text_tables import table
from mtpeft.metrics.base import ALWAYS, DEFAULT_METRIC, METRICS, in_order

Key = tuple[str, ...]
LABELS = DIMENSIONS[:5]
COMPARED_WITH = ("full", "none")
COUNTED_COLUMNS = ("training_pairs", "seeds", "step_zero", "diverged", "missing", "trained_share", "places")


def estimates_in(metrics: Sequence[str]) -> tuple[str, ...]:
    """Estimates in these metrics: scores, then differences to full fine-tuning and to the untouched model."""
    return (*metrics, *(difference_column(metric, to) for metric in metrics for to in COMPARED_WITH))


def is_difference(estimate: str) -> bool:
    """Whether an estimate is a difference to a reference."""
    return "minus_" in estimate


def metric_of(estimate: str) -> str:
    """Name of the metric of an estimate."""
    return estimate.partition("minus_")[0].removesuffix("_") or DEFAULT_METRIC


def estimate_columns(estimates: Sequence[str]) -> tuple[str, ...]:
    """Columns of estimates with their intervals, and of differences with their p-values."""
    return tuple(f"{name}{end}" for name in estimates for end in _ends(name))


def _ends(estimate: str) -> tuple[str, ...]:
    return ("", "_low", "_high", *(["_p"] if is_difference(estimate) else []))


def summary_columns(metrics: Sequence[str] = ALWAYS) -> tuple[str, ...]:
    """Columns of a summary in these metrics."""
    estimates = estimate_columns(estimates_in(metrics))
    return (*LABELS, "test_set", *COUNTED_COLUMNS, *estimates, *COSTS, *columns_by_run(metrics))


def columns_by_run(metrics: Sequence[str]) -> tuple[str, ...]:
    """Columns of scores with their intervals over sentences alone, and with the score of each seed."""
    return tuple(f"{metric}{end}" for metric in metrics for end in (*SENTENCE_ENDS, RUNS))


def write_summary(
    cells: Iterable[Cell],
    *,
    output: Path,
    page: Path,
    missing: Collection[Cell] = (),
    metrics: CellMetrics | None = None,
) -> None:
    """Write `summary.csv` and the same as a table to read, `summary.md`.

    Args:
        cells: those with records.
        output: where the table goes.
        page: where the table to read goes.
        missing: cells without records.
        metrics: metrics that the cells were scored with.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no records.
    """
    metrics = metrics or CellMetrics()
    ordered, estimates = sorted({*cells, *missing}), estimates_in(metrics.names)
    rows = summary_rows(ordered, missing, metrics)
    write_text(output, csv_text(with_scored_pair(summary_columns(metrics.names), ordered), rows))
    labels = with_scored_pair((*LABELS, "test_set"), ordered)
    header = [*(name.replace("_", " ") for name in labels), *page_columns(estimates), "seconds"]
    lines = ([*page_row(row, labels, estimates), _seconds(row)] for row in rows)
    write_text(page, table(header, lines) + "\n")


def summary_rows(
    cells: Sequence[Cell], missing: Collection[Cell] = (), metrics: CellMetrics | None = None
) -> list[dict[str, Any]]:
    """One row per system and test set, of a group for each of its pairs, in the order of the labels."""
    metrics = metrics or CellMetrics()
    groups = [cell for cell in cells if cell.is_group]
    runs = read_runs([cell for cell in cells if not cell.is_group], missing, metrics)
    rows = [row | {SCORED_PAIR: row["pair"]} | _costs(system) for system, row in system_rows(runs)]
    for pair in sorted({pair for cell in groups for pair in cell.members}):
        own = [cell for cell in groups if pair in cell.members]
        there = {cell: read_run(OnPair(cell, pair), is_missing=cell in missing, metrics=metrics) for cell in own}
        before = {
            cell: runs[cell] for cell in dict.fromkeys(untouched(cell.model, pair) for cell in own) if cell in runs
        }
        for system, row in system_rows(there | before, pair):
            if system.runs[0].cell not in before:
                rows.append(row | {SCORED_PAIR: pair} | _costs(system))
    return sorted(rows, key=lambda row: [row[name] for name in (*LABELS, SCORED_PAIR)]) if groups else rows


def system_rows(runs: Mapping[Cell, ScoredRun], pair: str | None = None) -> Iterator[tuple[SystemRuns, dict[str, Any]]]:
    """Systems of runs, in their order, each with one row per test set.

    Args:
        runs: by cell; those of a system stand one after another.
        pair: whose test sets the runs were measured on, where it is not the pair of each cell.
    """
    systems: dict[Key, SystemRuns] = {}
    for cell, run in runs.items():
        key = system_labels(cell)
        systems[key] = SystemRuns((*(systems[key].runs if key in systems else ()), run))
    scored = {key: _score(system, pair or system.runs[0].cell.pair) for key, system in systems.items()}
    for key, system in systems.items():
        labels = dict(zip(DIMENSIONS, key, strict=False))
        for test_set in scored[key] or {TEST_SET: None}:
            own = {name: sets.get(test_set) for name, sets in scored.items()}
            found = _estimates(key, own, pair or labels["pair"]) if own[key] else {}
            yield system, labels | {"test_set": test_set} | _counted(system) | found


def _score(system: SystemRuns, pair: str) -> dict[str, dict[str, Any]]:
    """Sample and scores of the metrics, by test set; nothing where no run has a score."""
    found = {}
    for test_set in system.measured[0].statistics if system.measured else ():
        sentences = system.statistics(test_set, DEFAULT_METRIC).shape[1]
        sample = Sample(test_set, sentences, np.arange(sentences), stream=f"{pair} {test_set}")
        found[test_set] = {"sample": sample}
        for metric in in_order({metric for run in system.measured for metric in run.statistics[test_set]}):
            scored = SystemRuns(tuple(run for run in system.measured if metric in run.statistics[test_set]))
            found[test_set][metric] = sample.score(scored, metric)
    return found


def _counted(system: SystemRuns) -> dict[str, Any]:
    lacking = [run.status for run in system.lacking]
    trained = [run.train for run in system.runs if run.train]
    return {
        "training_pairs": max((record["training_pairs"] for record in trained), default=None),
        "seeds": len(system.measured),
        "step_zero": len(system.step_zero),
        "diverged": len(lacking) - lacking.count(MISSING),
        "missing": lacking.count(MISSING),
        "trained_share": system.share,
        "places": ", ".join(dict.fromkeys(filter(None, (record.get("places") for record in trained)))),
    }


def _estimates(key: Key, scored: Mapping[Key, Mapping[str, Any] | None], pair: str) -> dict[str, Any]:
    """Scores of a system and differences to its references, with their intervals."""
    model, tuned_on, size, *_ = key
    sample, own = scored[key]["sample"], scored[key]
    metrics = [metric for metric in own if metric != "sample"]
    found = {metric: _estimate([(1.0, own[metric])], sample) for metric in metrics}
    by_run = {f"{metric}{end}": value for metric in metrics for end, value in _by_run(own[metric], sample).items()}
    references = {
        "full": (model, tuned_on, size, "full", "all"),
        "none": system_labels(untouched(model, pair)),
    }
    for to, reference in references.items():
        other = scored.get(reference)
        for metric in metrics if other and reference != key else ():
            if metric in other and _comparable(own[metric], other[metric]):
                terms = [(1.0, own[metric]), (-1.0, other[metric])]
                found[difference_column(metric, to)] = _estimate(terms, sample)
    return by_run | {column: value for name, values in found.items() for column, value in _columns(name, values)}


def _by_run(scored: Scored, sample: Sample) -> dict[str, float | str]:
    """The ends of the interval over sentences alone, and the score of each seed, in the order of the seeds."""
    found = contrast([(1.0, scored)], sentences=len(sample.rows), stream=sample.stream)
    ends = dict(zip(SENTENCE_ENDS, interval(found.over_sentences), strict=True))
    return {**ends, RUNS: " ".join(f"{value:.10g}" for value in found.observed)}


def _comparable(one: Scored, other: Scored) -> bool:
    return bool(matched_seeds([one, other]))


def _estimate(terms: list[Term], sample: Sample) -> tuple[float, float, float, float]:
    """The effect, the ends of its interval, and the p-value of no effect."""
    found = contrast(terms, sentences=len(sample.rows), stream=sample.stream)
    return (found.effect, *interval(found.samples), p_two_sided(found.samples))


def _columns(name: str, values: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    return zip((f"{name}{end}" for end in _ends(name)), values, strict=False)


def _costs(system: SystemRuns) -> dict[str, float]:
    """Mean costs of the runs with a score; empty where none has one, or where nothing was trained or decoded."""
    found: dict[str, list[float]] = {name: [] for name in COSTS}
    for run in system.measured:
        for name, value in cost_row(run.cell).items():
            if name in found and value is not None:
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def page_columns(estimates: Sequence[str]) -> tuple[str, ...]:
    """Columns of a table to read, after its labels."""
    return ("seeds", "share", "places", *estimates, "step 0", "diverged", "missing")


def page_row(row: Mapping[str, Any], labels: Sequence[str], estimates: Sequence[str]) -> list[str]:
    """A row of a table to read: labels, then `page_columns`, with intervals beside values and shares in percent."""
    share = row["trained_share"]
    return [
        *(row[name] for name in labels),
        str(row["seeds"]),
        "" if share is None else f"{share:.2%}",
        row["places"],
        *(_with_interval(row, name) for name in estimates),
        *(str(row[name]) for name in ("step_zero", "diverged", "missing")),
    ]


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None:
        return ""
    digits = METRICS[metric_of(name)].digits_of_scores
    mean, low, high = (f"{row[f'{name}{end}']:.{digits}f}" for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"


def _seconds(row: Mapping[str, Any]) -> str:
    seconds = row.get("train_seconds")
    return "" if seconds is None else f"{seconds:.0f}"
