"""Rows of systems: how many runs there are, their mean scores and differences to reference rows, with intervals."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mtpeft.analysis.collect import MISSING, TEST_SET
from mtpeft.analysis.contrasts import Term, contrast, matched_seeds
from mtpeft.analysis.p_values import interval, p_two_sided
from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.systems import Run, Sample, System
from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.config.studies import system_labels, untouched
from mtpeft.metrics.corpus_scores import SCORES
from mtpeft.metrics.names import COMET, COUNTED, difference_column
from mtpeft.metrics.names import DIGITS as METRIC_DIGITS

Key = tuple[str, ...]
LABELS = DIMENSIONS[:5]
REFERENCES = ("full", "none")
DIGITS = 1
"""Digits after the point in a table to read, of metrics from 0 to 100; others have as many as they need."""
COUNTED_COLUMNS = ("training_pairs", "seeds", "step_zero", "diverged", "missing", "trained_share", "places")


def estimates_in(metrics: Sequence[str]) -> tuple[str, ...]:
    """Estimates in these metrics: scores, then differences to full fine-tuning and to the untouched model."""
    return (*metrics, *(difference_column(metric, to) for metric in metrics for to in REFERENCES))


ESTIMATES = estimates_in(COUNTED)


def estimate_columns(estimates: Sequence[str] = ESTIMATES) -> tuple[str, ...]:
    """Columns of estimates with their intervals, and of differences with their p-values."""
    return tuple(f"{name}{end}" for name in estimates for end in _ends(name))


def _ends(estimate: str) -> tuple[str, ...]:
    return ("", "_low", "_high", *(["_p"] if is_difference(estimate) else []))


def is_difference(estimate: str) -> bool:
    """Whether an estimate is a difference to a reference."""
    return "minus_" in estimate


def shown_columns(estimates: Sequence[str] = ESTIMATES) -> tuple[str, ...]:
    """Columns of a table to read."""
    return ("seeds", "share", "places", *estimates, "step 0", "diverged", "missing")


def system_rows(runs: Mapping[Cell, Run], pair: str | None = None) -> Iterator[tuple[System, dict[str, Any]]]:
    """Systems of runs, in their order, each with one row per test set.

    Args:
        runs: of cells, those of a system one after another.
        pair: whose test sets the runs were measured on, where it is not that of each cell.
    """
    systems: dict[Key, System] = {}
    for cell, run in runs.items():
        key = system_labels(cell)
        systems[key] = System((*(systems[key].runs if key in systems else ()), run))
    scored = {key: _score(system, pair or system.runs[0].cell.pair) for key, system in systems.items()}
    for key, system in systems.items():
        labels = dict(zip(DIMENSIONS, key, strict=False))
        for test_set in scored[key] or {TEST_SET: None}:
            own = {name: sets.get(test_set) for name, sets in scored.items()}
            found = _estimates(key, own, pair or labels["pair"]) if own[key] else {}
            yield system, labels | {"test_set": test_set} | _counted(system) | found


def _score(system: System, pair: str) -> dict[str, dict[str, Any]]:
    """Sample and scores of the metrics, by test set; nothing where no run has a score."""
    found = {}
    for test_set in system.measured[0].counts if system.measured else ():
        sentences = system.counts(test_set, "chrf").shape[1]
        sample = Sample(test_set, sentences, np.arange(sentences), stream=f"{pair} {test_set}")
        found[test_set] = {"sample": sample}
        for metric in SCORES:
            scored = System(tuple(run for run in system.measured if metric in run.counts[test_set]))
            if scored.runs:
                found[test_set][metric] = sample.score(scored, metric)
    return found


def _counted(system: System) -> dict[str, Any]:
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
    found = {metric: _estimate([(1.0, own[metric])], sample) for metric in SCORES if metric in own}
    references = {
        "full": (model, tuned_on, size, "full", "all"),
        "none": system_labels(untouched(model, pair)),
    }
    for to, reference in references.items():
        other = scored.get(reference)
        for metric in SCORES if other and reference != key else ():
            if metric in own and metric in other and _comparable(own[metric], other[metric]):
                terms = [(1.0, own[metric]), (-1.0, other[metric])]
                found[difference_column(metric, to)] = _estimate(terms, sample)
    return {column: value for name, values in found.items() for column, value in _columns(name, values)}


def _comparable(one: Scored, other: Scored) -> bool:
    return bool(matched_seeds([one, other]))


def _estimate(terms: list[Term], sample: Sample) -> tuple[float, float, float, float]:
    """The effect, the ends of its interval, and the p-value of there being none."""
    found = contrast(terms, sentences=len(sample.rows), stream=sample.stream)
    return (found.effect, *interval(found.samples), p_two_sided(found.samples))


def _columns(name: str, values: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    return zip((f"{name}{end}" for end in _ends(name)), values, strict=False)


def shown(row: Mapping[str, Any], labels: Sequence[str], estimates: Sequence[str] = ESTIMATES) -> list[str]:
    """A row to read, under its labels and `shown_columns`: intervals beside their values, shares in percent."""
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
    digits = METRIC_DIGITS[COMET] if name.startswith(COMET) else DIGITS
    mean, low, high = (f"{row[f'{name}{end}']:.{digits}f}" for end in ("", "_low", "_high"))
    return f"{mean} [{low}, {high}]"
