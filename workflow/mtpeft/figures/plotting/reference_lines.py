"""Draw what methods are compared with: full fine-tuning as a band, reference rows as thin lines with their names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mtpeft.analysis.read_tables import Interval, System
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.panels import Point
from mtpeft.figures.plotting.style import SMALL_FONT_SIZE, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FULL_DASHES = (0, (5, 2))
DASHES = {"none": (0, (1, 1.2)), "scratch": (0, (3, 1.5, 1, 1.5)), "retrieval": (0, (6, 1.5))}
OTHER_DASHES = (0, (1, 2.5))
"""Dashes of in-context learning, of which there may be several rows."""
REACH = 0.5
"""Share of the methods' range by which it grows at most at either side, so that a reference row is seen."""


class CountsLostSeeds(Protocol):
    """A system or a line that counts its seeds without a score."""

    @property
    def diverged(self) -> int:
        """Count the seeds that diverged."""

    @property
    def missing(self) -> int:
        """Count the seeds that have not run."""


def dashes_of(name: str) -> tuple[int, tuple[float, ...]]:
    """Return the dashes of a reference row."""
    return DASHES.get(name, OTHER_DASHES)


def draw_band(axes: "Axes", value: Interval | None, style: Style) -> None:
    """Draw a score across the panel: its mean dashed, its interval as a band."""
    if value is None:
        return
    axes.axhspan(value.low, value.high, color=style.colour, alpha=0.12, linewidth=0, zorder=1)
    axes.axhline(value.mean, color=style.colour, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)


def draw_upright_band(axes: "Axes", system: System, style: Style, *, name: str) -> None:
    """Draw full fine-tuning down the panel: its mean dashed, its interval as a band, its name above."""
    if system.score is None:
        return
    axes.axvspan(system.score.low, system.score.high, color=style.colour, alpha=0.12, linewidth=0, zorder=0.5)
    axes.axvline(system.score.mean, color=style.colour, linestyle=FULL_DASHES, linewidth=0.9, zorder=2)
    axes.text(
        system.score.mean,
        1.01,
        name,
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=SMALL_FONT_SIZE,
        color=style.colour,
    )


def view_with(view: tuple[float, float], values: Sequence[float]) -> tuple[float, float]:
    """Return a range that is widened to the values near it; values far off would squeeze what is compared."""
    low, high = view
    near = [value for value in values if low - REACH * (high - low) <= value <= high + REACH * (high - low)]
    margin = 0.04 * (high - low)
    return min([low, *(value - margin for value in near)]), max([high, *(value + margin for value in near)])


def draw_references(axes: "Axes", lines: Sequence[tuple[Style, Sequence[Point]]]) -> None:
    """Draw reference rows as thin lines; a line with one point alone goes across the panel.

    The range of y stays that of the methods: `label_line` names a line that ends far outside at the edge.
    """
    left, right = axes.get_xlim()
    scored = [(style, [point for point in points if point.value]) for style, points in lines]
    axes.set_ylim(view_with(axes.get_ylim(), [points[-1].value.mean for _, points in scored if points]))
    for style, points in scored:
        xs, ys = [point.x for point in points], [point.value.mean for point in points]
        if len(points) == 1:
            xs, ys = [left, right], ys * 2
        axes.plot(xs, ys, color=style.colour, linestyle=dashes_of(style.name), linewidth=0.9, zorder=1.5)
    axes.set_xlim(left, right)


def name_with_gaps(name: str, system: CountsLostSeeds) -> str:
    """Return a name with the numbers of seeds that lack a score, if any do."""
    counts = {"diverged": system.diverged, "missing": system.missing}
    return name + "".join(f" ({count} {word})" for word, count in counts.items() if count)


def label_line(axes: "Axes", x: float, value: Interval | None, *, name: str, colour: str) -> None:
    """Write the name of a line at its last point; outside of the range, at the edge with an arrow and the score."""
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
