"""The data of the page, as JSON has them: compact tables of systems and cells, and what the study says about them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtpeft.analysis.csv_files import Interval
from mtpeft.analysis.read_tables import System, distances_of_pairs
from mtpeft.cells import members_of
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import Study
from mtpeft.core.languages import DISTANCES, ENGLISH, same_language
from mtpeft.figures.plotting.selection import is_reference, pair_title
from mtpeft.figures.plotting.style import Style, method_styles
from mtpeft.front.page.gather import Results, ScoredCell
from mtpeft.front.page.matrices import Matrix
from mtpeft.front.page.tradeoff import COSTS
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS
from mtpeft.metrics.hypothesis_shares import SHARES

AXIS_OF_FIGURE = {
    "budgets": "share",
    "data_sizes": "pairs",
    "languages": "distance",
    "gain_kept": "distance",
    "models": "model",
}
"""What the x axis of the chart shows first for a study, by its figure; the share of trained parameters for others."""
CELL_NUMBERS = (
    *("trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "decode_seconds"),
    *("decode_sentences_per_second", "train_tokens_per_second"),
)
SCORE_NUMBERS = ("budget_achieved", "best_step", "training_pairs", "learning_rate", "test_sentences", *SHARES)
DIGITS = 5
"""Significant digits of numbers that are drawn or shown."""


def payload(results: Results) -> dict[str, Any]:
    """Everything but what the records of cells say."""
    configuration = results.configuration
    return {
        "study": configuration.study_file,
        "default_metric": DEFAULT_METRIC,
        "metrics": [_metric(name) for name in results.metrics],
        "shares": list(SHARES),
        "costs": dict(COSTS),
        "studies": [_study(label, study) for label, study in configuration.studies.items()],
        "pairs": _pairs(configuration, results),
        "sizes": {label: size.pairs for label, size in configuration.sizes.items()},
        "budgets": dict(configuration.budgets),
        "methods": {method: vars(style) for method, style in styles_of(results).items()},
        "systems": table(_system(results, place) for place in range(len(results.systems[DEFAULT_METRIC]))),
        "cells": table(_cell(results, cell) for cell in results.cells),
    }


def styles_of(results: Results) -> Mapping[str, Style]:
    """Colour, marker and name of each method, as the figures have them."""
    systems = results.systems[DEFAULT_METRIC]
    return method_styles([*(system.method for system in systems), *(cell.method for cell in results.cells)])


def table(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows without their keys, which would take half of the page."""
    found = list(rows)
    columns = list(dict.fromkeys(key for row in found for key in row))
    return {"columns": columns, "rows": [[row.get(key) for key in columns] for row in found]}


def _metric(name: str) -> dict[str, Any]:
    metric = METRICS[name]
    return {
        "name": name,
        "title": metric.title,
        "digits": metric.digits_of_scores,
        "better": "higher" if metric.higher_is_better else "lower",
    }


def _study(label: str, study: Study) -> dict[str, Any]:
    return {
        "label": label,
        "axis": AXIS_OF_FIGURE.get(study.figure or label, "share"),
        "metric": study.metric,
        **{name: study.labels(name) for name in ("models", "pairs", "sizes", "methods", "budgets")},
    }


def _pairs(configuration: Configuration, results: Results) -> dict[str, Any]:
    labels = {member for cell in results.cells for member in members_of(cell.on.pair)}
    languages = {label: pair_languages(configuration, label) for label in sorted(labels)}
    other = {
        label: next((own for own in sides if not same_language(own, ENGLISH)), sides[0])
        for label, sides in languages.items()
    }
    distances = distances_of_pairs(DISTANCES, other, "syntactic")
    return {
        label: {"title": pair_title(label), "languages": list(sides), "distance": distances.get(label)}
        for label, sides in languages.items()
    }


def _system(results: Results, place: int) -> dict[str, Any]:
    """A row of the summary; scores and differences are by metric, each a mean with the ends of its interval."""
    own = results.systems[DEFAULT_METRIC][place]
    row = {
        **vars(own.setting),
        "method": own.method,
        "budget": own.budget,
        "tuned_on": own.tuned_on,
        "reference": int(is_reference(own)),
        "pairs": own.training_pairs,
        "share": short(own.share),
        "seeds": own.seeds,
        "diverged": own.diverged,
        "missing": own.missing,
        "step_zero": own.step_zero,
        "costs": [short(own.costs.get(cost)) for cost in COSTS],
    }
    for metric, systems in results.systems.items():
        system = _same(systems, place, own)
        row |= {f"{metric}:{name}": _ends(getattr(system, name)) for name in ("score", "minus_full", "minus_none")}
    return row


def _same(systems: Sequence[System], place: int, own: System) -> System:
    """The row of a system in another metric: all metrics come from one table, sorted alike."""
    system = systems[place]
    assert (system.setting, system.method, system.budget) == (own.setting, own.method, own.budget)
    return system


def _ends(interval: Interval | None) -> list[float] | None:
    return [short(value) for value in (interval.mean, interval.low, interval.high)] if interval else None


def _cell(results: Results, cell: ScoredCell) -> dict[str, Any]:
    labels = cell.on.cell.named
    row = {**labels, "scored_pair": cell.on.pair, "test_set": cell.test_set, "status": cell.status, "key": cell.key}
    row |= {metric: _number(cell.scores.get(metric)) for metric in results.metrics}
    row |= {name: _number(cell.scores.get(name)) for name in SCORE_NUMBERS}
    row |= {name: _number(cell.costs.get(name)) for name in CELL_NUMBERS}
    return row | {"device": cell.costs.get("device") or None, "reason": cell.reason or None}


def _number(text: str | None) -> float | int | None:
    return short(float(text)) if text else None


def short(value: float | None) -> float | int | None:
    """A number with few digits, since nobody sees more; whole numbers stay whole."""
    if value is None:
        return None
    if value == int(value) and abs(value) < 10**15:
        return int(value)
    return float(f"{value:.{DIGITS}g}")


def matrix_rows(matrix: Matrix) -> dict[str, Any]:
    """A matrix in integers: effect and interval in hundredths, the corrected p-value in ten-thousandths."""
    flat = [
        [one, other, *(round(100 * value) for value in (own.effect, own.low, own.high)), round(1e4 * own.p_holm)]
        for (one, other), own in matrix.differences.items()
    ]
    return {
        "setting": list(matrix.setting),
        "budget": matrix.budget,
        "systems": [list(key) for key in matrix.systems],
        "scores": [short(score) for score in matrix.scores],
        "differences": flat,
    }
