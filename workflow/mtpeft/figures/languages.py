"""RQ2: how does the distance of a language change what a budget can do?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Setting, System, Tables
from mtpeft.cells import NATIVE
from mtpeft.figures.plotting.labels import label_below, label_end, spread_positions
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
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import MISSING, full_method, gap_of, is_untouched, panel_name, tuned_methods

NONE = "none"
AXES = {"syntactic": "syntactic distance from English", "genealogical": "genealogical distance from English"}
Row = tuple[Setting, str]


def draw_languages(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Difference to full fine-tuning against distance: one row per budget, one column per kind of distance."""
    systems = tables.systems
    methods = tuned_methods(systems)
    tuned = [system for system in systems if system.method in methods]
    if not any(system.minus_full for system in tuned):
        return nothing_yet()
    scales = _scales({system.setting.pair for system in tuned}, tables)
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
        none = _draw_panel(axes, own, untouched, places=apart, languages=tables.languages, looks=looks)
        first = position % len(scales) == 0
        axes.set_title(_title(row, rows, own, looks) if first else "")
        axes.set_ylabel(f"{tables.metric_name} \N{MINUS SIGN} full" if first else "")
        if position % len(scales) == len(scales) - 1:
            _label_lines(axes, none, looks)
        axes.set_xlabel(name if position >= len(panels) - len(scales) else "")
    share_range(panels)
    return Drawing(figure, _unplaced(tuned, scales), [looks[method] for method in methods] if len(methods) > 1 else [])


def _row_of(system: System) -> Row:
    return replace(system.setting, pair=""), system.budget


def _rows(systems: Sequence[System]) -> list[Row]:
    """Settings but for the pair, with each of their budgets from the smallest to the largest."""
    shares: dict[Row, float] = {}
    for system in systems:
        shares[_row_of(system)] = max(system.share or 0.0, shares.get(_row_of(system), 0.0))
    return sorted(shares, key=lambda row: (row[0], shares[row], row[1]))


def _title(row: Row, rows: Sequence[Row], systems: Sequence[System], looks: dict[str, Look]) -> str:
    """What tells a row from the others, its method if it has one alone, and the share that it trains."""
    methods = {system.method for system in systems}
    share = max((system.share for system in systems if system.share), default=None)
    trained = row[1] if row[1] == NATIVE or share is None else f"{100 * share:.2g} % trained"
    alone = looks[methods.pop()].name if len(methods) == 1 else ""
    return ", ".join(filter(None, (panel_name(row[0], [other for other, _ in rows]), alone, trained)))


def _scales(pairs: set[str], tables: Tables) -> dict[str, dict[str, float]]:
    """Place of each pair on each x axis."""
    languages = {pair: tables.languages.get(pair) for pair in sorted(pairs)}
    return {
        label: {
            pair: getattr(tables.distances[language], kind)
            for pair, language in languages.items()
            if language in tables.distances
        }
        for kind, label in AXES.items()
    }


def _apart(places: Mapping[str, float], methods: int) -> dict[str, float]:
    """Places moved to either side of each other where languages are equally far."""
    if not places:
        return {}
    reach = (max(places.values()) - min(places.values())) or 1.0
    step = 0.06 * reach * max(1.0, 0.5 * methods)
    moved = spread_positions(list(places.values()), step, low=min(places.values()), high=max(places.values()) + reach)
    return dict(zip(places, moved, strict=True))


def _unplaced(systems: Sequence[System], scales: dict[str, dict[str, float]]) -> list[str]:
    placed = set().union(*scales.values())
    absent = sorted({system.setting.pair for system in systems} - placed)
    return [f"Without a distance and not drawn: {', '.join(absent)}."] if absent else []


def _draw_panel(
    axes: Axes,
    systems: Sequence[System],
    full: Mapping[str, System],
    *,
    places: Mapping[str, float],
    languages: Mapping[str, str],
    looks: dict[str, Look],
) -> dict[float, float]:
    """Points and their languages; returns the difference of the untouched model at each place."""
    methods = sorted({system.method for system in systems})
    reach = (max(places.values(), default=0.0) - min(places.values(), default=0.0)) or 1.0
    axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
    # By the seeds of the system itself, so that one which is no better than the untouched model lies on its tick.
    none = {
        places[own.setting.pair]: own.minus_full.mean - own.minus_none.mean
        for own in systems
        if own.setting.pair in places and own.minus_full and own.minus_none
    }
    if none and NONE in looks:
        axes.plot(list(none), list(none.values()), color=looks[NONE].colour, marker="_", linestyle="", markersize=7)
    marks: list[tuple[Point, Look]] = []
    for system in systems:
        pair = system.setting.pair
        if pair not in places:
            continue
        shift = side_by_side(methods.index(system.method), len(methods), reach)
        lacking = gap_of(system) or (gap_of(full[pair]) if pair in full else MISSING)
        point = Point(places[pair] + shift, system.minus_full, lacking, is_untouched(system))
        draw_point(axes, point, looks[system.method])
        marks.append((point, looks[system.method]))
        if point.value and system.method == methods[-1]:
            label_below(axes, languages.get(pair, pair), x=point.x, y=point.value.mean, colour=INK)
    axes.margins(x=0.06, y=0.08)
    draw_gaps(axes, marks)
    return none


def _label_lines(axes: Axes, none: Mapping[float, float], looks: dict[str, Look]) -> None:
    label_end(axes, "full", x=axes.get_xlim()[1], y=0, colour=INK)
    if none and NONE in looks:
        label_end(axes, NONE, x=max(none), y=none[max(none)], colour=looks[NONE].colour)
