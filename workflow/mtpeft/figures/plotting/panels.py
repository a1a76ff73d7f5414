"""The parts that the figures share: a grid of panels, points with their intervals, series of them, gaps, axes."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mtpeft.analysis.score_tables import DIVERGED
from mtpeft.analysis.tables import Interval, System
from mtpeft.figures.plotting.style import ONE_COLUMN, Look, new_figure
from mtpeft.figures.plotting.systems import MISSING, gap_of, is_untouched

POINT, OPEN, GAP = "point", "open", "gap"
"""Prefixes of the element ids in the SVG, by which they can be counted."""
GAP_MARKERS = {DIVERGED: "x", MISSING: "|"}


@dataclass(frozen=True)
class Point:
    """One system in a panel: a place on x and a value with its interval, or a gap where there is none."""

    x: float
    value: Interval | None
    gap: str | None = None
    is_open: bool = False


@dataclass
class Drawing:
    """A figure, the sentences that stand below it, and the methods of the legend above it, if any."""

    figure: Figure
    notes: list[str] = field(default_factory=list)
    legend: list[Look] = field(default_factory=list)


def point_of(system: System, x: float, value: Interval | None) -> Point:
    """The point of a system at x; where there is no value, something that it is compared with is missing."""
    return Point(x, value, gap_of(system) or (None if value else MISSING), is_untouched(system))


def grid(count: int, *, columns: int, width: float, row_height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels, filled row by row."""
    rows = math.ceil(count / columns)
    figure = new_figure(width, rows * row_height)
    axes = [figure.add_subplot(rows, columns, position + 1) for position in range(count)]
    return figure, axes


def nothing_yet() -> Drawing:
    """An empty frame that says so."""
    figure = new_figure(ONE_COLUMN, 1.8)
    axes = figure.add_subplot()
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, "There is nothing to show yet.", transform=axes.transAxes, ha="center", va="center")
    return Drawing(figure)


def draw_series(axes: Axes, points: Sequence[Point], look: Look, *, linestyle: str = "-") -> None:
    """A line through the points in the order of x, with marker and interval at each; gaps break it."""
    ordered = sorted(points, key=lambda point: point.x)
    means = [math.nan if point.value is None else point.value.mean for point in ordered]
    axes.plot([point.x for point in ordered], means, color=look.colour, linestyle=linestyle, zorder=3)
    for point in ordered:
        draw_point(axes, point, look)


def draw_point(axes: Axes, point: Point, look: Look, *, vertical: bool = True) -> None:
    """One marker with its interval as a bar, nothing where there is no value; `x` is the height if not vertical."""
    if point.value is None:
        return
    ends, mean = ([point.value.low, point.value.high], [point.value.mean])
    bar, place = (([point.x] * 2, ends), ([point.x], mean)) if vertical else ((ends, [point.x] * 2), (mean, [point.x]))
    if ends[0] < ends[1]:
        axes.plot(*bar, color=look.colour, linewidth=0.8, solid_capstyle="butt", zorder=3.5)
    (marker,) = axes.plot(
        *place,
        marker=look.marker,
        markersize=look.size,
        color=look.colour,
        markerfacecolor="white" if point.is_open else look.colour,
        markeredgewidth=0.9,
        zorder=4,
    )
    marker.set_gid(f"{OPEN if point.is_open else POINT}-{look.name}")


def draw_gaps(axes: Axes, gaps: Iterable[tuple[Point, Look]]) -> None:
    """A mark on the floor of the panel for each system that lacks a seed, stacked where several share an x."""
    stacked: Counter[float] = Counter()
    for point, look in gaps:
        if point.gap:
            draw_gap(axes, (point.x, 0.03 + 0.06 * stacked[point.x]), point.gap, look)
            stacked[point.x] += 1
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.07 * max(stacked.values(), default=0) * (high - low), high)


def draw_gap(axes: Axes, place: tuple[float, float], gap: str, look: Look, *, across: bool = False) -> None:
    """The mark of a system that lacks a seed, at x and a height of the panel, or at a width of it and y if across."""
    (mark,) = axes.plot(
        *([coordinate] for coordinate in place),
        marker=GAP_MARKERS[gap],
        markersize=4,
        markeredgewidth=1.0,
        color=look.colour,
        transform=axes.get_yaxis_transform() if across else axes.get_xaxis_transform(),
        clip_on=False,
        zorder=5,
    )
    mark.set_gid(f"{GAP}-{look.name}")


def side_by_side(rank: int, count: int, reach: float) -> float:
    """Displacement of one of several points at one place, so that their intervals show; `reach` is that of the axis."""
    return 0.016 * reach * (rank - (count - 1) / 2)


def share_range(panels: Sequence[Axes]) -> None:
    """One range of y for all panels, so that they compare by eye."""
    limits = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def share_axis(axes: Axes) -> None:
    """A logarithmic x axis of shares, written in per cent."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.minorticks_off()


def count_axis(axes: Axes, ticks: Sequence[int]) -> None:
    """A logarithmic x axis with its ticks at the counts themselves."""
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def drawn_kinds(figure: Figure) -> set[str]:
    """Which of points, open points and gaps a figure shows."""
    return {line.get_gid().split("-")[0] for axes in figure.axes for line in axes.lines if line.get_gid()}
