"""Make panels: empty figures and grids, points with their intervals, series of points, marks of gaps, and axes."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Interval, System
from mtpeft.analysis.score_tables import DIVERGED
from mtpeft.figures.plotting.selection import MISSING, gap_of, kept_untouched
from mtpeft.figures.plotting.style import ONE_COLUMN, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

POINT, OPEN, GAP = "point", "open", "gap"
"""Prefixes of the element ids in the SVG, by which points, open points and gaps can be counted."""
RUN = "run"
RUN_MARKER = {"markersize": 2.4, "markerfacecolor": "white", "markeredgewidth": 0.7, "zorder": 4.5}
"""The point of a single seed, on top of the marker of the mean."""
GAP_MARKERS = {DIVERGED: "x", MISSING: "|"}


@dataclass(frozen=True)
class Point:
    """One system in a panel: a place on x and a value with its interval, or a gap where there is no value."""

    x: float
    value: Interval | None
    gap: str | None = None
    is_open: bool = False


@dataclass(frozen=True)
class Coverage:
    """The number of expected measurements that a figure shows, in words, and whether these are all."""

    text: str
    is_complete: bool


@dataclass
class Drawing:
    """A figure, and what is to be written around it.

    Attributes:
        figure: with its panels.
        notes: sentences that stand below the panels.
        legend: methods or budgets that the legend above the panels explains; empty for no legend.
        more_systems: systems that are drawn besides those of the summary.
        coverage: of the measurements that the figure needs besides the scores of its cells.
    """

    figure: "Figure"
    notes: list[str] = field(default_factory=list)
    legend: list[Style] = field(default_factory=list)
    more_systems: Sequence[System] = ()
    coverage: Sequence[Coverage] = ()


def point_of(system: System, x: float, value: Interval | None) -> Point:
    """Return the point of a system at x; where there is no value, something that it is compared with is missing."""
    return Point(x, value, gap_of(system) or (None if value else MISSING), kept_untouched(system))


def new_figure(width: float, height: float) -> "Figure":
    """Make an empty figure of a size in inches that needs no window system and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid(count: int, *, columns: int, width: float, row_height: float) -> "tuple[Figure, list[Axes]]":
    """Make a figure with `count` panels, filled row by row; width and height of a row are in inches."""
    rows = math.ceil(count / columns)
    figure = new_figure(width, rows * row_height)
    axes = [figure.add_subplot(rows, columns, position + 1) for position in range(count)]
    return figure, axes


def nothing_yet() -> Drawing:
    """Make an empty panel that says that there is nothing to show yet."""
    figure = new_figure(ONE_COLUMN, 1.8)
    axes = figure.add_subplot()
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, "There is nothing to show yet.", transform=axes.transAxes, ha="center", va="center")
    return Drawing(figure)


def draw_series(axes: "Axes", points: Sequence[Point], style: Style, *, linestyle: str = "-") -> None:
    """Draw a line through the points in the order of x, with marker and interval at each; gaps break the line."""
    ordered = sorted(points, key=lambda point: point.x)
    means = [math.nan if point.value is None else point.value.mean for point in ordered]
    axes.plot([point.x for point in ordered], means, color=style.colour, linestyle=linestyle, zorder=3)
    for point in ordered:
        draw_point(axes, point, style)


def draw_point(axes: "Axes", point: Point, style: Style, *, vertical: bool = True) -> None:
    """Draw one marker with its interval as a bar, if it has a value; `point.x` is the height if not vertical."""
    if point.value is None:
        return
    ends, mean = ([point.value.low, point.value.high], [point.value.mean])
    bar, place = (([point.x] * 2, ends), ([point.x], mean)) if vertical else ((ends, [point.x] * 2), (mean, [point.x]))
    if ends[0] < ends[1]:
        axes.plot(*bar, color=style.colour, linewidth=0.8, solid_capstyle="butt", zorder=3.5)
    if point.value.runs:
        runs, at = list(point.value.runs), [point.x] * len(point.value.runs)
        (dots,) = axes.plot(*((at, runs) if vertical else (runs, at)), "o", **RUN_MARKER, markeredgecolor=style.colour)
        dots.set_gid(f"{RUN}-{style.name}")
    (marker,) = axes.plot(
        *place,
        marker=style.marker,
        markersize=style.size,
        color=style.colour,
        markerfacecolor="white" if point.is_open else style.colour,
        markeredgewidth=0.9,
        zorder=4,
    )
    marker.set_gid(f"{OPEN if point.is_open else POINT}-{style.name}")


def draw_gaps(axes: "Axes", gaps: Iterable[tuple[Point, Style]]) -> None:
    """Mark each system that lacks a seed at the lower edge of the panel, stacked where several share an x."""
    stacked: Counter[float] = Counter()
    for point, style in gaps:
        if point.gap:
            draw_gap(axes, (point.x, 0.03 + 0.06 * stacked[point.x]), point.gap, style)
            stacked[point.x] += 1
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.07 * max(stacked.values(), default=0) * (high - low), high)


def draw_gap(axes: "Axes", place: tuple[float, float], gap: str, style: Style, *, across: bool = False) -> None:
    """Mark a system that lacks a seed.

    Args:
        axes: the panel.
        place: x in data and the height as a share of the panel, or, if `across`, the width as a share and y in data.
        gap: why it lacks a seed.
        style: of the method.
        across: whether y is in data.
    """
    (mark,) = axes.plot(
        *([coordinate] for coordinate in place),
        marker=GAP_MARKERS[gap],
        markersize=4,
        markeredgewidth=1.0,
        color=style.colour,
        transform=axes.get_yaxis_transform() if across else axes.get_xaxis_transform(),
        clip_on=False,
        zorder=5,
    )
    mark.set_gid(f"{GAP}-{style.name}")


def drawn_kinds(figure: "Figure") -> set[str]:
    """Return which of points, open points and gaps a figure shows."""
    return {line.get_gid().split("-")[0] for axes in figure.axes for line in axes.lines if line.get_gid()}


def side_by_side(rank: int, count: int, reach: float) -> float:
    """Return how far one of several points at one x is moved, so that their bars show; `reach` is the length of x."""
    return 0.016 * reach * (rank - (count - 1) / 2)


def share_range(panels: "Sequence[Axes]") -> None:
    """Give all panels one range of y, so that they can be compared by eye."""
    limits = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def share_axis(axes: "Axes") -> None:
    """Make x a logarithmic axis of trained shares, written in per cent."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.minorticks_off()


def narrow_share_axis(axes: "Axes") -> None:
    """Make x a logarithmic axis of trained shares, written in per cent, with ticks at powers of ten alone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def count_axis(axes: "Axes", ticks: Sequence[int]) -> None:
    """Make x a logarithmic axis with its ticks at these counts."""
    from matplotlib.ticker import NullFormatter

    axes.set_xscale("log")
    axes.set_xticks(list(ticks), [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def set_ticks(axis: "Axis", most: int, *, steps: Sequence[int] | None = None) -> None:
    """Put ticks at no more than `most` + 1 round numbers; `steps` are the multiples that count as round."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=steps))


def legend_handles(styles: Iterable[Style]) -> list[object]:
    """Return a marker with its name for each style, as a legend takes them."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=style.colour, marker=style.marker, markersize=style.size, linestyle="", label=style.name)
        for style in styles
    ]
