"""Lines to compare with: full fine-tuning as a band, the reference rows as thin lines, named at their ends."""

from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Interval
from mtpeft.figures.plotting.labels import label_end
from mtpeft.figures.plotting.panels import Point
from mtpeft.figures.plotting.style import Look

FULL_DASHES = (0, (5, 2))
DASHES = {"none": (0, (1, 1.2)), "scratch": (0, (3, 1.5, 1, 1.5)), "retrieval": (0, (6, 1.5))}
REACH = 0.5
"""Share of the methods' range by which it grows at most, at either side, for a reference row to be seen."""


class Counted(Protocol):
    """What counts the seeds that it lacks."""

    @property
    def diverged(self) -> int:
        """Seeds that diverged."""

    @property
    def missing(self) -> int:
        """Seeds that are not there."""


def draw_band(axes: Axes, value: Interval | None, look: Look) -> None:
    """A score across the panel: its mean dashed, its interval as a band."""
    if value is None:
        return
    axes.axhspan(value.low, value.high, color=look.colour, alpha=0.12, linewidth=0, zorder=1)
    axes.axhline(value.mean, color=look.colour, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)


def view_with(view: tuple[float, float], values: Sequence[float]) -> tuple[float, float]:
    """A range widened to the values that are near it; those far off would squeeze what is compared."""
    low, high = view
    near = [value for value in values if low - REACH * (high - low) <= value <= high + REACH * (high - low)]
    margin = 0.04 * (high - low)
    return min([low, *(value - margin for value in near)]), max([high, *(value + margin for value in near)])


def draw_references(axes: Axes, lines: Sequence[tuple[Look, Sequence[Point]]]) -> None:
    """Thin lines of the reference rows, across the panel where there is one point alone.

    The view stays that of the methods: a line that ends far outside it is named at the edge with its last score.
    """
    left, right = axes.get_xlim()
    scored = [(look, [point for point in points if point.value]) for look, points in lines]
    axes.set_ylim(view_with(axes.get_ylim(), [points[-1].value.mean for _, points in scored if points]))
    for look, points in scored:
        xs, ys = [point.x for point in points], [point.value.mean for point in points]
        if len(points) == 1:
            xs, ys = [left, right], ys * 2
        axes.plot(xs, ys, color=look.colour, linestyle=DASHES[look.name], linewidth=0.9, zorder=1.5)
    axes.set_xlim(left, right)


def name_with_gaps(name: str, system: Counted) -> str:
    """A name with the seeds that lack a score."""
    counts = {"diverged": system.diverged, "missing": system.missing}
    return name + "".join(f" ({count} {word})" for word, count in counts.items() if count)


def label_line(axes: Axes, x: float, value: Interval | None, *, name: str, colour: str) -> None:
    """Name a line at its last point; outside the view, name it at the edge with an arrow and its score."""
    low, high = axes.get_ylim()
    if value is None:
        label_end(axes, name, x=axes.get_xlim()[1], y=low, colour=colour)
    elif low <= value.mean <= high:
        label_end(axes, name, x=x, y=value.mean, colour=colour)
    else:
        below = value.mean < low
        arrow = "\N{DOWNWARDS ARROW}" if below else "\N{UPWARDS ARROW}"
        edge = low if below else high
        label_end(axes, f"{name} {value.text} {arrow}", x=axes.get_xlim()[1], y=edge, colour=colour)
