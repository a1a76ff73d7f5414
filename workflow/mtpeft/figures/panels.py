"""The parts that the figures share: a grid of panels, a series of points, gaps, reference lines, notes."""

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mtpeft.figures.groups import Group, Spread, gap_status
from mtpeft.figures.labels import label_end
from mtpeft.figures.style import FONT_SIZE, GREY, SMALL_FONT_SIZE, TWO_COLUMNS, WARNING, Look, new_figure
from mtpeft.figures.tables import DIVERGED, MISSING

POINT, HOLLOW, GAP = "point", "hollow", "gap"
"""Prefixes of the element ids in the SVG, by which they can be counted."""
GAP_MARKERS = {DIVERGED: "x", MISSING: "|"}
INCHES_PER_LINE = 0.14
INCHES_PER_CHARACTER = 0.057
INCHES_PER_LEGEND_ENTRY = 0.85


@dataclass(frozen=True)
class Point:
    """One group in a panel: a position, or a gap where `spread` is None."""

    x: float
    spread: Spread | None
    gaps: tuple[str, ...] = ()
    hollow: bool = False


@dataclass
class Drawing:
    """A figure, the sentences that stand below it, and the methods of the legend above it, if any."""

    figure: Figure
    notes: list[str] = field(default_factory=list)
    legend: list[Look] = field(default_factory=list)


def point_of(group: Group, x: float, spread: Spread | None) -> Point:
    """The point of a group at x."""
    return Point(x, spread, group.gaps, group.untouched)


def grid(count: int, *, columns: int, width: float, row_height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels, filled row by row."""
    rows = math.ceil(count / columns)
    figure = new_figure(width, rows * row_height)
    axes = [figure.add_subplot(rows, columns, position + 1) for position in range(count)]
    return figure, axes


def nothing_yet() -> Drawing:
    """An empty frame that says so."""
    figure = new_figure(TWO_COLUMNS / 2, 1.8)
    axes = figure.add_subplot()
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, "There is nothing to show yet.", transform=axes.transAxes, ha="center", va="center")
    return Drawing(figure)


def draw_series(axes: Axes, points: Sequence[Point], look: Look, *, linestyle: str = "-") -> None:
    """A line through the points in the order of x, with a marker and the range of seeds at each; gaps break it."""
    ordered = sorted(points, key=lambda point: point.x)
    means = [math.nan if point.spread is None else point.spread.mean for point in ordered]
    axes.plot([point.x for point in ordered], means, color=look.colour, linestyle=linestyle, zorder=3)
    for point in ordered:
        if point.spread is not None:
            draw_point(axes, point.x, point.spread, look, hollow=point.hollow)


def draw_point(axes: Axes, x: float, spread: Spread, look: Look, *, hollow: bool) -> None:
    """One marker with the range of seeds as a bar."""
    if spread.count > 1:
        axes.plot([x, x], [spread.low, spread.high], color=look.colour, linewidth=0.8, alpha=0.8, zorder=3.5)
    (marker,) = axes.plot(
        [x],
        [spread.mean],
        marker=look.marker,
        color=look.colour,
        markerfacecolor="white" if hollow else look.colour,
        markeredgewidth=0.9,
        zorder=4,
    )
    marker.set_gid(f"{HOLLOW if hollow else POINT}-{look.name}")


def draw_gaps(axes: Axes, gaps: Iterable[tuple[Point, Look]]) -> None:
    """A mark on the floor of the panel for each group that lacks a seed, stacked where several share an x."""
    stacked: Counter[float] = Counter()
    for point, look in gaps:
        status = gap_status(point.gaps)
        if status is None:
            continue
        (mark,) = axes.plot(
            [point.x],
            [0.035 + 0.06 * stacked[point.x]],
            marker=GAP_MARKERS[status],
            markersize=4,
            markeredgewidth=1.0,
            color=look.colour,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            zorder=5,
        )
        mark.set_gid(f"{GAP}-{look.name}")
        stacked[point.x] += 1


def draw_full_band(axes: Axes, group: Group, look: Look) -> None:
    """Full fine-tuning across the panel: its mean dashed, the range of its seeds as a band."""
    spread = group.spread
    if spread is None:
        return
    axes.axhspan(spread.low, spread.high, color=look.colour, alpha=0.10, linewidth=0, zorder=1)
    axes.axhline(spread.mean, color=look.colour, linestyle=(0, (5, 2)), linewidth=0.9, zorder=2)


def label_line(axes: Axes, point: Point, look: Look) -> None:
    """Name a line at its last point, with the seeds that it lacks; outside the view, name it at the edge."""
    low, high = axes.get_ylim()
    name = look.name
    for status in sorted(set(point.gaps)):
        name += f" ({point.gaps.count(status)} {status})"
    if point.spread is None:
        label_end(axes, name, x=axes.get_xlim()[1], y=low, colour=look.colour)
    elif low <= point.spread.mean <= high:
        label_end(axes, name, x=point.x, y=point.spread.mean, colour=look.colour)
    else:
        below = point.spread.mean < low
        arrow = "\N{DOWNWARDS ARROW}" if below else "\N{UPWARDS ARROW}"
        edge = low if below else high
        label_end(axes, f"{name} {point.spread.mean:.1f} {arrow}", x=axes.get_xlim()[1], y=edge, colour=look.colour)


REFERENCE_DASHES = {"none": (0, (1, 1.2)), "scratch": (0, (3, 1.5, 1, 1.5)), "retrieval": (0, (6, 1.5))}


def draw_references(axes: Axes, lines: Iterable[tuple[Look, list[Point]]]) -> None:
    """Thin lines of the reference rows, across the panel where there is one point alone.

    The view stays that of the methods: a line that ends far outside it is named at the edge with its last score.
    """
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    reach = 0.5 * (high - low)
    scored = [(look, [point for point in points if point.spread]) for look, points in lines]
    shown = [(look, points) for look, points in scored if points]
    ends = [points[-1].spread.mean for _, points in shown]
    inside = [end for end in ends if low - reach <= end <= high + reach]
    margin = 0.04 * (high - low)
    axes.set_ylim(min([low, *(end - margin for end in inside)]), max([high, *(end + margin for end in inside)]))
    for look, points in shown:
        xs, ys = [point.x for point in points], [point.spread.mean for point in points]
        if len(points) == 1:
            xs, ys = [left, right], ys * 2
        axes.plot(xs, ys, color=look.colour, linestyle=REFERENCE_DASHES[look.name], linewidth=0.8, zorder=1.5)
    axes.set_xlim(left, right)


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
    axes.xaxis.set_minor_formatter(NullFormatter())


def count_axis(axes: Axes, ticks: Sequence[int]) -> None:
    """A logarithmic x axis with its ticks at the counts themselves."""
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def add_frame(drawing: Drawing, *, warnings: Sequence[str]) -> None:
    """Put warnings, legend and notes on strips of their own, above and below, so that no panel shrinks for them."""
    figure = drawing.figure
    width, height = (float(length) for length in figure.get_size_inches())
    columns = int(width / INCHES_PER_CHARACTER)
    heading = [line for warning in warnings for line in textwrap.wrap(warning, int(0.85 * columns))]
    footer = [line for note in drawing.notes for line in textwrap.wrap(note, columns)]
    per_row = int(width / INCHES_PER_LEGEND_ENTRY)
    legend = 0.17 * math.ceil(len(drawing.legend) / per_row)
    top, bottom = (INCHES_PER_LINE * len(lines) + 0.05 * bool(lines) for lines in (heading, footer))
    total = height + top + legend + bottom
    figure.set_size_inches(width, total)
    figure.get_layout_engine().set(rect=(0, bottom / total, 1, height / total))
    figure.text(0.01, 1 - 0.03 / total, "\n".join(heading), va="top", color=WARNING, weight="bold", fontsize=FONT_SIZE)
    figure.text(0.01, 0.03 / total, "\n".join(footer), va="bottom", color=GREY, fontsize=SMALL_FONT_SIZE)
    if drawing.legend:
        _add_legend(drawing, anchor=1 - top / total, columns=min(len(drawing.legend), per_row))


def _add_legend(drawing: Drawing, *, anchor: float, columns: int) -> None:
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle="", label=look.name) for look in drawing.legend
    ]
    legend = drawing.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, anchor),
        ncols=columns,
        handletextpad=0.2,
        borderpad=0.2,
        borderaxespad=0.2,
    )
    legend.set_in_layout(False)


def drawn_kinds(figure: Figure) -> set[str]:
    """Which of points, hollow points and gaps a figure shows."""
    return {line.get_gid().split("-")[0] for axes in figure.axes for line in axes.lines if line.get_gid()}
