"""Draw one figure from a summary into its three files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.analysis.representations import CellRanks, read_ranks
from mtpeft.analysis.score_tables import DIVERGED
from mtpeft.analysis.tables import System, Tables, distances_of_languages, read_systems
from mtpeft.cells import members_of
from mtpeft.core.errors import UserError
from mtpeft.core.languages import DISTANCES
from mtpeft.figures.budgets import draw_budgets
from mtpeft.figures.data_sizes import draw_data_sizes
from mtpeft.figures.efficiency import draw_efficiency
from mtpeft.figures.exposure import draw_exposure
from mtpeft.figures.forgetting import draw_forgetting
from mtpeft.figures.languages import draw_languages
from mtpeft.figures.methods import draw_methods
from mtpeft.figures.models import draw_models
from mtpeft.figures.plotting.frame import add_frame
from mtpeft.figures.plotting.labels import settle_labels
from mtpeft.figures.plotting.panels import GAP, OPEN, Drawing, drawn_kinds
from mtpeft.figures.plotting.style import Look, figure_style, looks_of, save_figure
from mtpeft.figures.plotting.systems import MISSING, gap_of, is_reference, uneven_budgets
from mtpeft.figures.representations import draw_representations
from mtpeft.metrics.base import DEFAULT_METRIC, bring_in_metrics

FIGURES: Mapping[str, Callable[[Tables, dict[str, Look]], Drawing]] = {
    "budgets": draw_budgets,
    "data_sizes": draw_data_sizes,
    "efficiency": draw_efficiency,
    "exposure": draw_exposure,
    "forgetting": draw_forgetting,
    "languages": draw_languages,
    "methods": draw_methods,
    "models": draw_models,
    "representations": draw_representations,
}

DIFFERENCES = ("efficiency", "exposure", "forgetting", "languages")
"""Figures of differences; the others are of scores."""
OF_SCORES = ", of scores; the table has those of differences"
"""All systems are measured on the same sentences, so bars of scores that overlap say little about who is better."""


def draw_figure(
    settings: Mapping[str, Any],
    *,
    summary: Path,
    stem: Path,
    others: Sequence[Path] = (),
    representations: Sequence[Path] = (),
) -> None:
    """Write `stem`.pdf, .svg and .png of the figure that `settings` names.

    Args:
        settings: `figure`, `cells` (expected number of cells), `stamp` (empty, or what the run falls short of),
            `languages` (code of the side of each pair that is not English) and optionally `methods`: every method of
            the catalogue, so that those without a fixed colour get the same one in all figures, `models` and
            `also_score`: labels in the order in which they are drawn, `exposures`: model, pair and what the one has
            seen of the other, `others`: expected number of scores on other pairs, and `metric`, if it is not chrF.
        summary: one row per system and test set.
        stem: path of the files without their suffix.
        others: tables with one row per system, other pair and test set, if the figure shows any.
        representations: tables with one row per cell and layer, if the figure shows any.

    Raises:
        UserError: no figure has this name, or the summary does not hold what it should.
    """
    name = settings["figure"]
    if name not in FIGURES:
        raise UserError(f"figure: there is none called '{name}'; write one of {', '.join(sorted(FIGURES))}.")
    bring_in_metrics(settings)
    metric = settings.get("metric", DEFAULT_METRIC)
    tables = Tables(
        systems=read_systems(summary, metric),
        distances=distances_of_languages(DISTANCES),
        languages=settings["languages"],
        models=tuple(settings.get("models", ())),
        exposures={(model, pair): exposure for model, pair, exposure in settings.get("exposures", ())},
        others=tuple(system for table in others for system in read_systems(table, metric)),
        also_score=tuple(settings.get("also_score", ())),
        ranks=tuple(cell for table in representations for cell in read_ranks(table)),
        metric=metric,
    )
    shown = (*tables.systems, *tables.others)
    methods = {own.method for own in (*tables.systems, *tables.ranks)} | set(settings.get("methods", ()))
    with figure_style():
        drawing = FIGURES[name](tables, looks_of(methods))
        kinds = drawn_kinds(drawing.figure)
        drawing.notes += [*_legend_of_marks(shown, kinds, _bars(name, shown)), *_uneven(tables.systems)]
        marks = [completeness(tables.systems, settings["cells"])]
        if "others" in settings:
            marks.append(completeness(tables.others, settings["others"], "decodings of other pairs"))
        if tables.ranks:
            marks.append(_measured(tables.ranks))
        mark, complete = "; ".join(text for text, _ in marks), all(whole for _, whole in marks)
        stamp = settings.get("stamp", "")
        drawing.notes += [f"{mark}."] if complete else []
        add_frame(drawing, warnings=[text for text in ("" if complete else mark, stamp) if text])
        settle_labels(drawing.figure)
        save_figure(drawing.figure, stem)


def completeness(systems: Iterable[System], expected: int, of: str = "cells") -> tuple[str, bool]:
    """How many of the expected cells, or decodings, have all their scores, in words, and whether all have."""
    # A system has one row per test set, and for each pair of its group, each with the same runs.
    own = {_runs_of(system): system for system in systems}.values()
    finished, diverged = sum(system.seeds for system in own), sum(system.diverged for system in own)
    total = max(expected, finished + diverged + sum(system.missing for system in own))
    if finished == total:
        seeds = sorted({system.seeds for system in own if not is_reference(system)} or {1})
        many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        return f"{total} {of}, {many} {'seed' if seeds == [1] else 'seeds'}", True
    missing = total - finished - diverged
    lacks = [f"{count} {word}" for count, word in ((missing, MISSING), (diverged, DIVERGED)) if count]
    return f"{finished} of {total} {of} ({', '.join(lacks)})", False


def _runs_of(system: System) -> tuple[object, ...]:
    """What tells the runs of a system from those of others, on whichever of the pairs that it was trained on."""
    setting = replace(system.setting, pair=system.tuned_on, test_set="")
    on_other = system.scored_pair if system.scored_pair not in members_of(system.tuned_on) else ""
    return setting, system.method, system.budget, on_other


def _measured(cells: Sequence[CellRanks]) -> tuple[str, bool]:
    """How many cells of a table have their representations measured, and whether all have."""
    measured = sum(bool(cell.ranks) for cell in cells)
    return f"representations of {measured} of {len(cells)} cells", measured == len(cells)


def _bars(name: str, systems: Sequence[System]) -> str:
    """What the bars of a figure are."""
    several = any(system.seeds > 1 for system in systems)
    if name == "representations":
        return "Bars reach from the lowest seed to the highest." if several else ""
    what = "" if name in DIFFERENCES else OF_SCORES
    return f"95 % intervals over {'sentences and seeds' if several else 'sentences'}{what}."


def _legend_of_marks(systems: Iterable[System], kinds: set[str], bars: str) -> list[str]:
    """What the marks that this figure shows mean."""
    own = list(systems)
    words = {DIVERGED: "\N{MULTIPLICATION SIGN} a seed diverged", MISSING: "| a seed is missing"}
    marks = [bars] if kinds and bars else []
    if OPEN in kinds:
        marks.append("Open: a seed was best on dev before any update.")
    if GAP in kinds:
        found = sorted({gap_of(system) for system in own} - {None})
        marks.append(f"At the edge: {', '.join(words[gap] for gap in found)}.")
    return marks


def _uneven(systems: Iterable[System]) -> list[str]:
    uneven = uneven_budgets(systems)
    if not uneven:
        return []
    parts = ", ".join(f"{budget} ({100 * difference:.0f} %)" for budget, difference in uneven.items())
    return [f"Achieved shares differ by 5 % or more, so methods do not compare exactly, at budget {parts}."]
