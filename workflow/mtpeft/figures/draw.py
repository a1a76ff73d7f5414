"""Draw one figure from the tables into its three files."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import ANY
from mtpeft.errors import UserError
from mtpeft.figures.budgets import draw_budgets
from mtpeft.figures.data_sizes import draw_data_sizes
from mtpeft.figures.efficiency import draw_efficiency
from mtpeft.figures.groups import Group, gap_status, group_seeds, uneven_budgets
from mtpeft.figures.labels import settle_labels
from mtpeft.figures.languages import draw_languages
from mtpeft.figures.models import draw_models
from mtpeft.figures.panels import GAP, HOLLOW, Drawing, add_frame, drawn_kinds
from mtpeft.figures.style import Look, figure_style, looks_of, save_figure
from mtpeft.figures.tables import DIVERGED, MISSING, OK, Score, Tables, read_tables

FIGURES: Mapping[str, Callable[[Tables, dict[str, Look]], Drawing]] = {
    "budgets": draw_budgets,
    "data_sizes": draw_data_sizes,
    "efficiency": draw_efficiency,
    "languages": draw_languages,
    "models": draw_models,
}


def draw_figure(settings: Mapping[str, Any], *, scores: Path, costs: Path, stem: Path) -> None:
    """Write `stem`.pdf, .svg and .png of the figure that `settings` names.

    Args:
        settings: `figure`, `cells` (expected number of cells), `stamp` (empty, or what the run falls short of) and
            optionally `methods`: every method of the catalogue, so that those without a fixed colour get the same one
            in all figures.
        scores: one row per cell and test set.
        costs: one row per cell.
        stem: path of the files without their suffix.

    Raises:
        UserError: no figure has this name, or a table does not hold what it should.
    """
    name = settings["figure"]
    if name not in FIGURES:
        raise UserError(f"figure: there is none called '{name}'; write one of {', '.join(sorted(FIGURES))}.")
    tables = read_tables(scores=scores, costs=costs)
    methods = {row.cell.method for row in tables.scores} | set(settings.get("methods", ()))
    with figure_style():
        drawing = FIGURES[name](tables, looks_of(methods))
        groups = group_seeds(tables.scores)
        drawing.notes += [*_legend_of_marks(groups, drawn_kinds(drawing.figure)), *_uneven(groups)]
        mark, complete = completeness(tables.scores, settings["cells"])
        stamp = settings.get("stamp", "")
        drawing.notes += [mark] if complete else []
        add_frame(drawing, warnings=[text for text in ("" if complete else mark, stamp) if text])
        settle_labels(drawing.figure)
        save_figure(drawing.figure, stem)


def completeness(scores: Iterable[Score], expected: int) -> tuple[str, bool]:
    """How many of the expected cells have all their scores, in words, and whether all have."""
    statuses: dict[Any, set[str]] = {}
    for row in scores:
        statuses.setdefault(row.cell, set()).add(row.status)
    total = max(expected, len(statuses))
    finished = sum(found == {OK} for found in statuses.values())
    diverged = sum(DIVERGED in found for found in statuses.values())
    if finished == total:
        seeds = len({cell.seed for cell in statuses} - {ANY})
        return f"{total} cells, {seeds} {'seed' if seeds == 1 else 'seeds'}", True
    missing = total - finished - diverged
    lacks = [f"{count} {word}" for count, word in ((missing, "missing"), (diverged, "diverged")) if count]
    return f"{finished} of {total} cells ({', '.join(lacks)})", False


def _legend_of_marks(groups: Iterable[Group], kinds: set[str]) -> list[str]:
    """What the marks that this figure shows mean, on one line."""
    words = {DIVERGED: "\N{MULTIPLICATION SIGN} a seed diverged", MISSING: "| a seed is missing"}
    marks = ["Hollow: step 0, the untouched model, was best on dev."] if HOLLOW in kinds else []
    if GAP in kinds:
        statuses = sorted({gap_status(group.gaps) for group in groups if group.gaps})
        marks.append(f"At the bottom: {', '.join(words[status] for status in statuses)}.")
    return [" ".join(marks)] if marks else []


def _uneven(groups: Iterable[Group]) -> list[str]:
    uneven = uneven_budgets(groups)
    if not uneven:
        return []
    parts = ", ".join(f"{budget} ({100 * difference:.0f} %)" for budget, difference in uneven.items())
    return [f"Achieved shares differ by 5 % or more, so methods do not compare exactly, at budget {parts}."]
