"""Draw one figure from its tables into its three files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.analysis.read_tables import System, read_systems
from mtpeft.config.figures import FIGURES
from mtpeft.core.errors import UserError
from mtpeft.core.registry import bring_in
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.fonts import use_fonts_that_have_all_letters
from mtpeft.figures.plotting.label_placement import place_labels
from mtpeft.figures.plotting.notes_and_legend import (
    add_notes_and_legend,
    coverage_of,
    notes_on_marks,
    notes_on_shares,
)
from mtpeft.figures.plotting.panels import Drawing, drawn_kinds
from mtpeft.figures.plotting.selection import with_runs_apart
from mtpeft.figures.plotting.style import figure_style, method_styles, named_by_examples
from mtpeft.metrics.base import DEFAULT_METRIC, bring_in_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

METADATA: Mapping[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}
"""File formats, each with the metadata that is left out, so that the same figure has the same bytes."""


def draw_figure(params: Mapping[str, Any], *, summary: Path, tables: Sequence[Path] = (), stem: Path) -> None:
    """Write the figure that `params` name as `stem`.pdf, .svg and .png.

    Args:
        params: `figure`, `cells` (expected number of cells), `stamp` (warning of the study, or empty), `languages`
            (language code of the side of each pair that is not English) and optionally `methods` (all methods of the
            configuration, so that those without a fixed colour get the same one in all figures), `models` and
            `also_score` (labels in the order in which they are drawn), `others` (expected number of scores on other
            pairs), `metric` (chrF where it is left out), `examples` (those that methods of in-context learning read),
            `module` (file of a figure from outside of the package), and the params that the figure adds itself.
        summary: table with one row per system and test set.
        tables: further tables that the figure needs, each named as the figure calls it, such as `others.csv`.
        stem: path of the three files without their suffix.

    Raises:
        UserError: there is no figure with this name, or a table does not hold what it should.
    """
    if "module" in params:
        bring_in(params["module"])
    bring_in_metrics(params)
    figure = _figure_named(params["figure"])
    metric = params.get("metric", DEFAULT_METRIC)
    data = FigureData(
        systems=tuple(map(with_runs_apart, read_systems(summary, metric))),
        metric=metric,
        languages=params["languages"],
        models=tuple(params.get("models", ())),
        also_score=tuple(params.get("also_score", ())),
        params=params,
        files={table.stem: table for table in tables},
    )
    with figure_style():
        drawing = figure.draw(data, named_by_examples(method_styles(_methods(data)), params.get("examples", {})))
        _write_around(drawing, figure, data)
        use_fonts_that_have_all_letters(drawing.figure)
        place_labels(drawing.figure)
        _save(drawing.figure, stem)


def _figure_named(name: str) -> Figure:
    found = FIGURES.entries.get(name)
    if not isinstance(found, Figure):
        raise UserError(f"figure: there is none called '{name}'; write one of {', '.join(sorted(FIGURES))}.")
    return found


def _methods(data: FigureData) -> set[str]:
    """Return all methods that have a style: those of the systems, and all methods of the configuration."""
    return {system.method for system in data.systems} | set(data.params.get("methods", ()))


def _write_around(drawing: Drawing, figure: Figure, data: FigureData) -> None:
    """Write warnings, legend and notes around the panels: what the marks mean, and how much of the study is there."""
    shown = (*data.systems, *drawing.more_systems)
    marks = notes_on_marks(shown, drawn_kinds(drawing.figure), _intervals(figure, shown))
    coverage = (coverage_of(data.systems, data.params["cells"]), *drawing.coverage)
    text, is_complete = "; ".join(part.text for part in coverage), all(part.is_complete for part in coverage)
    drawing.notes += [*marks, *notes_on_shares(data.systems), *([f"{text}."] if is_complete else [])]
    warnings = ["" if is_complete else text, data.params.get("stamp", "")]
    add_notes_and_legend(drawing, warnings=[warning for warning in warnings if warning])


def _intervals(figure: Figure, systems: Iterable[System]) -> str:
    """Say what the intervals of a figure are."""
    several = any(system.seeds > 1 for system in systems)
    if figure.shows == "scores" and any(system.score and system.score.runs for system in systems):
        return (
            "95 % intervals over sentences, and a small point for each of two or three seeds, of scores; the table has "
            "those of differences."
        )
    if figure.shows == "measurements":
        return "Bars reach from the lowest seed to the highest." if several else ""
    # All systems are measured on the same sentences, so overlapping bars of scores say little about which is better.
    of_scores = ", of scores; the table has those of differences" if figure.shows == "scores" else ""
    return f"95 % intervals over {'sentences and seeds' if several else 'sentences'}{of_scores}."


def _save(figure: "Canvas", stem: Path) -> None:
    """Write `stem` with .pdf, .svg and .png."""
    for suffix in METADATA:
        save_figure(figure, stem.with_name(f"{stem.name}.{suffix}"))


def save_figure(figure: "Canvas", file: Path) -> None:
    """Write a figure in the format that the end of the file's name says: whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    suffix = file.suffix.removeprefix(".")
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        figure.savefig(temporary, format=suffix, metadata=METADATA[suffix])
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
