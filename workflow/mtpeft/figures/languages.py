"""The figure `languages` (RQ2): how does the distance of a language change what a budget can do?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import System, distances_of_pairs
from mtpeft.cells import NATIVE
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of
from mtpeft.core.languages import DISTANCES
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_below, label_end, spread_positions
from mtpeft.figures.plotting.panels import (
    Drawing,
    Point,
    draw_gaps,
    draw_point,
    grid,
    nothing_yet,
    share_range,
    side_by_side,
)
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.selection import (
    MISSING,
    PanelRow,
    full_method,
    gap_of,
    kept_untouched,
    panel_name,
    tuned_methods,
)
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE = "none"
AXES = {"syntactic": "syntactic distance from English", "genealogical": "genealogical distance from English"}


def params(configuration: Configuration, study: str) -> dict[str, str]:
    """Return the digest of the table of distances."""
    return {"distances": sha256_of(DISTANCES)}


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw the difference to full fine-tuning against distance: a row per budget, a column per kind of distance."""
    systems = data.systems
    methods = tuned_methods(systems)
    tuned = [system for system in systems if system.method in methods]
    if not any(system.minus_full for system in tuned):
        return nothing_yet()
    scales = _scales({system.setting.pair for system in tuned}, data)
    rows = _rows(tuned)
    figure, panels = grid(
        len(rows) * len(scales), columns=len(scales), width=TWO_COLUMNS, row_height=1.75 if len(rows) > 1 else 2.2
    )
    full = [system for system in systems if system.method == full_method(systems)]
    for position, axes in enumerate(panels):
        row, (name, places) = rows[position // len(scales)], list(scales.items())[position % len(scales)]
        own = [system for system in tuned if _row_of(system) == row]
        untouched = {system.setting.pair: system for system in full if replace(system.setting, pair="") == row[0]}
        apart = _apart(places, len(methods))
        none = _draw_panel(axes, own, untouched, places=apart, languages=data.languages, styles=styles)
        first = position % len(scales) == 0
        axes.set_title(_title(row, rows, own, styles) if first else "")
        axes.set_ylabel(f"{data.metric_name} \N{MINUS SIGN} full" if first else "")
        if position % len(scales) == len(scales) - 1:
            _label_lines(axes, none, styles)
        axes.set_xlabel(name if position >= len(panels) - len(scales) else "")
    share_range(panels)
    return Drawing(figure, _unplaced(tuned, scales), [styles[method] for method in methods] if len(methods) > 1 else [])


def _row_of(system: System) -> PanelRow:
    return replace(system.setting, pair=""), system.budget


def _rows(systems: Sequence[System]) -> list[PanelRow]:
    """Return the settings without their pairs, each with its budgets from the smallest to the largest."""
    shares: dict[PanelRow, float] = {}
    for system in systems:
        shares[_row_of(system)] = max(system.share or 0.0, shares.get(_row_of(system), 0.0))
    return sorted(shares, key=lambda row: (row[0], shares[row], row[1]))


def _title(row: PanelRow, rows: Sequence[PanelRow], systems: Sequence[System], styles: dict[str, Style]) -> str:
    """Return what tells a row from the others, its method if it has one alone, and the share that it trains."""
    methods = {system.method for system in systems}
    share = max((system.share for system in systems if system.share), default=None)
    trained = row[1] if row[1] == NATIVE or share is None else f"{100 * share:.2g} % trained"
    alone = styles[methods.pop()].name if len(methods) == 1 else ""
    return ", ".join(filter(None, (panel_name(row[0], [other for other, _ in rows]), alone, trained)))


def _scales(pairs: set[str], data: FigureData) -> dict[str, dict[str, float]]:
    """Return the place of each pair on each x axis, by the label of the axis."""
    languages = {pair: data.languages[pair] for pair in pairs & data.languages.keys()}
    return {label: distances_of_pairs(DISTANCES, languages, kind) for kind, label in AXES.items()}


def _apart(places: Mapping[str, float], methods: int) -> dict[str, float]:
    """Return the places, moved to either side where languages are equally far."""
    if not places:
        return {}
    reach = (max(places.values()) - min(places.values())) or 1.0
    step = 0.06 * reach * max(1.0, 0.5 * methods)
    moved = spread_positions(list(places.values()), step, low=min(places.values()), high=max(places.values()) + reach)
    return dict(zip(places, moved, strict=True))


def _unplaced(systems: Sequence[System], scales: dict[str, dict[str, float]]) -> list[str]:
    """Name the pairs whose languages have no distance."""
    placed = set().union(*scales.values())
    absent = sorted({system.setting.pair for system in systems} - placed)
    return [f"Without a distance and not drawn: {', '.join(absent)}."] if absent else []


def _draw_panel(
    axes: "Axes",
    systems: Sequence[System],
    full: Mapping[str, System],
    *,
    places: Mapping[str, float],
    languages: Mapping[str, str],
    styles: dict[str, Style],
) -> dict[float, float]:
    """Draw points with their languages; return the difference of the untouched model at each place."""
    methods = sorted({system.method for system in systems})
    reach = (max(places.values(), default=0.0) - min(places.values(), default=0.0)) or 1.0
    axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
    # By the seeds of the system itself, so that one which is no better than the untouched model lies on its tick.
    none = {
        places[own.setting.pair]: own.minus_full.mean - own.minus_none.mean
        for own in systems
        if own.setting.pair in places and own.minus_full and own.minus_none
    }
    if none and NONE in styles:
        axes.plot(list(none), list(none.values()), color=styles[NONE].colour, marker="_", linestyle="", markersize=7)
    marks: list[tuple[Point, Style]] = []
    for system in systems:
        pair = system.setting.pair
        if pair not in places:
            continue
        shift = side_by_side(methods.index(system.method), len(methods), reach)
        lacking = gap_of(system) or (gap_of(full[pair]) if pair in full else MISSING)
        point = Point(places[pair] + shift, system.minus_full, lacking, kept_untouched(system))
        draw_point(axes, point, styles[system.method])
        marks.append((point, styles[system.method]))
        if point.value and system.method == methods[-1]:
            label_below(axes, languages.get(pair, pair), x=point.x, y=point.value.mean, colour=INK)
    axes.margins(x=0.06, y=0.08)
    draw_gaps(axes, marks)
    return none


def _label_lines(axes: "Axes", none: Mapping[float, float], styles: dict[str, Style]) -> None:
    """Write the names of full fine-tuning and of the untouched model at the right."""
    label_end(axes, "full", x=axes.get_xlim()[1], y=0, colour=INK)
    if none and NONE in styles:
        label_end(axes, NONE, x=max(none), y=none[max(none)], colour=styles[NONE].colour)


LANGUAGES = Figure(
    name="languages",
    question="Does the distance of a language change what a budget can do?",
    caption="{metric} minus that of full fine-tuning with the same seeds and sentences, against the distance of the "
    "language from English: syntactic at the left, genealogical at the right, one row per budget. Languages "
    "at equal or almost equal distances stand side by side; all panels share one range. Grey ticks are the "
    "untouched model, so the way from the tick to the dashed line is all that fine-tuning gains. A trend "
    "downwards to the right would say that a budget buys less for a distant language. Distances come from "
    "URIEL and lang2vec.",
    draw=draw,
    shows="differences",
    params=params,
)
