"""Read the tables from which every figure is drawn: summaries of systems, and distances of languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtpeft.analysis.csv_files import Interval, Row, rows_of
from mtpeft.cells import DIMENSIONS, JOIN, members_of
from mtpeft.core.languages import ENGLISH, main_language
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

COSTS = ("trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "decode_sentences_per_second")
COUNTS = ("seeds", "step_zero", "diverged", "missing")


@dataclass(frozen=True, order=True)
class Setting:
    """Labels that all systems of one panel of a figure share."""

    model: str
    pair: str
    size: str
    test_set: str


@dataclass(frozen=True)
class System:
    """One row of a summary: the seeds of one method and budget in one setting, with the scores of one metric.

    Shares are of the base model; `seeds` counts runs with a score, of which `step_zero` kept the untouched model. The
    scores are those on the test sets of `scored_pair`, which is the pair of the setting unless the table says another.
    A system that was trained on a group of pairs appears in the setting of each pair, with the group in the name of its
    method; `tuned_on` is the label of the pair or the group.
    """

    setting: Setting
    method: str
    budget: str
    training_pairs: int | None
    seeds: int
    step_zero: int
    diverged: int
    missing: int
    share: float | None
    score: Interval | None
    minus_full: Interval | None
    minus_none: Interval | None
    costs: Mapping[str, float]
    scored_pair: str
    tuned_on: str


@dataclass(frozen=True)
class Distance:
    """Cosine distances of a language from another one."""

    syntactic: float
    genealogical: float


def difference_column(metric: str, reference: str) -> str:
    """Column with the difference to `full` or `none`; the default metric has columns without its name."""
    return f"minus_{reference}" if metric == DEFAULT_METRIC else f"{metric}_minus_{reference}"


def read_systems(path: Path, metric: str = DEFAULT_METRIC) -> tuple[System, ...]:
    """Rows of a summary in one metric, sorted by setting, method and share.

    Raises:
        UserError: a column is missing, or a field is not of the type of its column.
    """
    systems = [_system(row, metric) for row in rows_of(path, (*DIMENSIONS[:5], "test_set", *COUNTS, metric))]
    return tuple(sorted(systems, key=lambda own: (own.setting, own.method, own.share or 0.0, own.budget)))


def read_distances(path: Path, origin: str = ENGLISH) -> dict[str, Distance]:
    """Distances from a language by language code."""
    return {
        row.text("language"): Distance(row.number("syntactic"), row.number("genealogical"))
        for row in rows_of(path, ("origin", "language", "syntactic", "genealogical"))
        if main_language(row.text("origin")) == main_language(origin)
    }


def distances_of_languages(path: Path, origin: str = ENGLISH) -> dict[str, Distance]:
    """Distances from a language, also of itself, by the code that a pair has: `no` for the `nb` of the table."""
    others = {main_language(code): distance for code, distance in read_distances(path, origin).items()}
    return {main_language(origin): Distance(0.0, 0.0), **others}


def distances_of_pairs(path: Path, languages: Mapping[str, str], kind: str, origin: str = ENGLISH) -> dict[str, float]:
    """Distances of one kind from a language, by the pair whose language has one; `languages` names it for each pair."""
    distances = distances_of_languages(path, origin)
    return {pair: getattr(distances[own], kind) for pair, own in sorted(languages.items()) if own in distances}


def _system(row: Row, metric: str) -> System:
    counts = {name: row.number(name, int) for name in COUNTS}
    if counts["seeds"] and not METRICS[metric].has_own_step:
        row.number(metric)
    digits = METRICS[metric].digits_of_scores
    differences = {f"minus_{to}": difference_column(metric, to) for to in ("full", "none")}
    costs = {name: row.optional(name) for name in COSTS}
    tuned_on = row.text("pair")
    scored_pair = row.fields.get("scored_pair") or tuned_on
    is_of_group = JOIN in tuned_on and scored_pair in members_of(tuned_on)
    pair = scored_pair if is_of_group else tuned_on
    return System(
        setting=Setting(row.text("model"), pair, row.text("size"), row.text("test_set")),
        method=on_group(row.text("method"), tuned_on) if is_of_group else row.text("method"),
        budget=row.text("budget"),
        training_pairs=row.optional("training_pairs", int),
        **counts,
        share=row.share("trained_share"),
        score=row.interval(metric, digits),
        **{name: row.interval(column, digits) for name, column in differences.items()},
        costs={name: cost for name, cost in costs.items() if cost is not None},
        scored_pair=scored_pair,
        tuned_on=tuned_on,
    )


ON_GROUP = " ("
"""Stands between the name of a method and that of the group of pairs that it was trained on."""


def on_group(method: str, group: str) -> str:
    """Name of a method that was trained on a group of pairs, which no label of the catalogue can be."""
    return f"{method}{ON_GROUP}{group})"
