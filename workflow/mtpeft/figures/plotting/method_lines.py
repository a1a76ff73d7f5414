"""Draw methods as lines: over the trained share of the base model, or over the number of training pairs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Interval, System
from mtpeft.cells import NATIVE, members_of
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.panels import Point, count_axis, draw_series, point_of, share_axis, side_by_side
from mtpeft.figures.plotting.selection import budget_shares, full_method, is_reference
from mtpeft.figures.plotting.style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = 2.0
"""Shares of which the largest is less than this factor above the smallest make no axis of their own."""
LineStyle = str | tuple[int, tuple[float, ...]]
"""A style of lines of matplotlib: its sign, or an offset and the lengths of dashes and gaps."""
BUDGET_DASHES: tuple[LineStyle, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))
Value = Callable[[System], Interval | None]
"""The value of a system that stands on y."""


def draw_share_lines(
    axes: "Axes",
    systems: Sequence[System],
    value: Value,
    *,
    shares: Mapping[str, float],
    styles: Mapping[str, Style],
) -> list[tuple[Point, Style]]:
    """Draw a line per method over the trained share, side by side at each budget; a method of one size is a point.

    Args:
        axes: an empty panel.
        systems: of the methods that are drawn.
        value: what stands on y.
        shares: trained share by budget, for systems that have none of their own.
        styles: of all methods.

    Returns:
        The points with their styles. Gaps are among them and are yet to be marked.
    """
    share_axis(axes)
    methods = sorted({own.method for own in systems})
    lines = [method for method in methods if any(own.method == method and own.budget != NATIVE for own in systems)]
    places = [share for own in systems if (share := own.share or shares.get(own.budget))]
    reach = math.log(max([NARROW, max(places, default=1.0) / min(places, default=1.0)]))
    marks = []
    for method in methods:
        shift = math.exp(side_by_side(lines.index(method), len(lines), reach)) if method in lines else 1.0
        points = [
            point_of(own, shift * share, value(own))
            for own in systems
            if own.method == method and (share := own.share or shares.get(own.budget))
        ]
        draw_series(axes, points, styles[method])
        marks += [(point, styles[method]) for point in points]
    return marks


@dataclass(frozen=True)
class SizedSystems:
    """Systems of several training sizes, which are drawn as lines with their names at their ends.

    Attributes:
        systems: that are drawn.
        pairs: number of training pairs by size label.
        value: what stands on y.
        styles: of all methods.
    """

    systems: Sequence[System]
    pairs: Mapping[str, int]
    value: Value
    styles: Mapping[str, Style]

    def line(
        self, axes: "Axes", own: Sequence[tuple[System, float]], *, name: str, dashes: LineStyle
    ) -> list[tuple[Point, Style]]:
        """Draw systems of one method at their places on x, and write a name behind the method's; returns the points."""
        style = self.styles[own[0][0].method]
        points = [point_of(system, x, self.value(system)) for system, x in own]
        draw_series(axes, points, style, linestyle=dashes)
        if shown := [point for point in points if point.value]:
            last = max(shown, key=lambda point: point.x)
            label_end(axes, f"{style.name} {name}".strip(), x=last.x, y=last.value.mean, colour=style.colour)
        return [(point, style) for point in points]


def draw_share_lines_of_sizes(axes: "Axes", sized: SizedSystems) -> list[tuple[Point, Style]]:
    """Draw a line per method and training size over the trained share of the base model, in an empty panel.

    Returns:
        The points with their styles. Gaps are among them and are yet to be marked.
    """
    share_axis(axes)
    shares = budget_shares(sized.systems)
    placed = [(own, share) for own in sized.systems if (share := own.share or shares.get(own.budget))]
    sizes = sorted({own.setting.size for own, _ in placed}, key=lambda size: sized.pairs.get(size, 0))
    lines = sorted(
        {(own.method, own.setting.size) for own, _ in placed}, key=lambda line: (line[0], sizes.index(line[1]))
    )
    reach = math.log(max([NARROW, *(share / other for _, share in placed for _, other in placed)]))
    marks: list[tuple[Point, Style]] = []
    for rank, (method, size) in enumerate(lines):
        shift = math.exp(side_by_side(rank, len(lines), reach))
        own = [(one, shift * share) for one, share in placed if (one.method, one.setting.size) == (method, size)]
        marks += sized.line(axes, own, name="" if len(sizes) == 1 else size, dashes=_dashes(sizes.index(size)))
    return marks


def draw_size_lines(axes: "Axes", sized: SizedSystems) -> list[tuple[Point, Style]]:
    """Draw a line per method and budget over the number of training pairs, in an empty panel.

    Returns:
        The points with their styles. Gaps are among them and are yet to be marked.
    """
    shown = [system for system in sized.systems if system.setting.size in sized.pairs]
    lines = sorted({(own.method, own.budget) for own in shown if not is_reference(own)})
    full = full_method(sized.systems)
    counts = sorted({sized.pairs[system.setting.size] for system in shown})
    count_axis(axes, counts)
    reach = math.log(max(counts) / min(counts))
    marks: list[tuple[Point, Style]] = []
    for rank, (method, budget) in enumerate(lines):
        shift = math.exp(side_by_side(rank, len(lines), reach))
        own = [
            (one, shift * sized.pairs[one.setting.size])
            for one in shown
            if (one.method, one.budget) == (method, budget)
        ]
        budgets = [other for name, other in lines if name == method]
        plain = budget == NATIVE or method == full or len(budgets) == 1
        marks += sized.line(axes, own, name="" if plain else budget, dashes=_dashes(budgets.index(budget)))
    return marks


def _dashes(place: int) -> LineStyle:
    return BUDGET_DASHES[place % len(BUDGET_DASHES)]


def pairs_by_size(systems: Sequence[System]) -> dict[str, int]:
    """Return the number of training pairs of each size label, from any row that reports it.

    Rows of cells that did not run report none. A system that was trained on a group has as many of each of its pairs.
    """
    found: dict[str, int] = {}
    for system in systems:
        if system.training_pairs:
            label = system.setting.size
            each = system.training_pairs // len(members_of(system.tuned_on))
            found[label] = max(each, found.get(label, 0))
    return found
