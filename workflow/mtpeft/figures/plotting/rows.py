"""Draw systems in rows below each other, each named at the left, with quality along x."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import System
from mtpeft.figures.plotting.panels import draw_gap, draw_point, point_of, set_ticks
from mtpeft.figures.plotting.reference_lines import dashes_of, name_with_gaps, view_with
from mtpeft.figures.plotting.selection import full_method, gap_of
from mtpeft.figures.plotting.style import SMALL_FONT_SIZE, Style, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_PER_ROW = 0.155
INCHES_AROUND = 0.58
"""Height of a panel without its rows: the axis with its label, and the name of the band."""
FAINT = "#E3E3E3"
EDGE = 0.15
"""Share of a panel's width at its left in which a name stands right of its tick, since it would leave the panel."""


@dataclass(frozen=True)
class RowGroup:
    """Systems below a heading, and the reference rows that hold for them."""

    heading: str
    systems: Sequence[System]
    references: Sequence[System] = ()


def rows_height(groups: Sequence[RowGroup]) -> float:
    """Return the height in inches of a panel with these groups."""
    return INCHES_AROUND + INCHES_PER_ROW * sum(1 + len(group.systems) for group in groups)


def draw_rows(axes: "Axes", groups: Sequence[RowGroup], styles: dict[str, Style], *, name: str) -> None:
    """Draw every system in a row of its own, and reference rows as upright ticks through their group.

    Args:
        axes: an empty panel.
        groups: from top to bottom.
        styles: of all methods.
        name: of the metric and the panel.
    """
    starts = [sum(1 + len(group.systems) for group in groups[:place]) for place in range(len(groups))]
    for start, group in zip(starts, groups, strict=True):
        for row, system in enumerate(group.systems, start + 1):
            axes.axhline(row, color=FAINT, linewidth=0.6, zorder=0)
            draw_point(axes, point_of(system, row, system.score), styles[system.method], vertical=False)
    axes.margins(x=0.05)
    references = [system.score.mean for group in groups for system in group.references if system.score]
    low, high = view_with(axes.get_xlim(), references)
    lacking = any(gap_of(system) for group in groups for system in group.systems)
    axes.set_xlim(low, high + 0.05 * lacking * (high - low))
    axes.set_ylim(starts[-1] + len(groups[-1].systems) + 0.6, -0.6)
    for start, group in zip(starts, groups, strict=True):
        for system in group.references:
            _draw_tick(axes, system, styles[system.method], top=start, rows=len(group.systems))
        for row, system in enumerate(group.systems, start + 1):
            point = point_of(system, row, system.score)
            if point.gap:
                draw_gap(axes, (0.985, row), point.gap, styles[system.method], across=True)
    _name_rows(axes, groups, styles)
    axes.set_xlabel(name)


def _draw_tick(axes: "Axes", system: System, style: Style, *, top: int, rows: int) -> None:
    """Draw a reference row as a tick through its group, with its name above; outside of the range, as an arrow."""
    name = name_with_gaps(style.name, system)
    if system.score is None:
        return
    (low, high), mean = axes.get_xlim(), system.score.mean
    text_style = {"va": "center", "fontsize": SMALL_FONT_SIZE, "color": text_colour(style.colour)}
    gap = 0.015 * (high - low)
    if low <= mean <= high:
        axes.plot(
            [mean] * 2,
            [top - 0.2, top + rows + 0.45],
            color=style.colour,
            linestyle=dashes_of(style.name),
            linewidth=1.1,
        )
        leftmost = mean - low < EDGE * (high - low)
        axes.text(mean + (gap if leftmost else -gap), top, name, ha="left" if leftmost else "right", **text_style)
    elif mean < low:
        axes.text(low + gap, top, f"\N{LEFTWARDS ARROW} {name} {system.score.text}", ha="left", **text_style)
    else:
        axes.text(high - gap, top, f"{name} {system.score.text} \N{RIGHTWARDS ARROW}", ha="right", **text_style)


def _name_rows(axes: "Axes", groups: Sequence[RowGroup], styles: dict[str, Style]) -> None:
    """Write headings in bold and the names of systems with their trained shares at the left."""
    full = full_method(system for group in groups for system in group.systems)
    names, headings = [], []
    for group in groups:
        headings.append(len(names))
        names.append(group.heading)
        for system in group.systems:
            share = "" if system.method == full or not system.share else f" {100 * system.share:.2g} %"
            names.append(styles[system.method].name + share)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    set_ticks(axes.xaxis, 5, steps=[1, 2, 5, 10])
    for row in headings:
        axes.get_yticklabels()[row].set_weight("bold")
