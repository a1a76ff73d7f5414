"""Draw methods as lines: over the trained share of the base model, or over the number of training pairs."""

import math
from collections.abc import Callable, Mapping, Sequence
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
BUDGET_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))
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


def draw_share_lines_of_sizes(
    axes: "Axes",
    systems: Sequence[System],
    pairs_of_size: Mapping[str, int],
    *,
    styles: Mapping[str, Style],
    value: Value,
) -> list[tuple[Point, Style]]:
    """Draw a line per method and training size over the trained share, with its name at its end.

    Args:
        axes: an empty panel.
        systems: of methods that have several budgets.
        pairs_of_size: number of training pairs by size label.
        styles: of all methods.
        value: what stands on y.

    Returns:
        The points with their styles. Gaps are among them and are yet to be marked.
    """
    share_axis(axes)
    shares = budget_shares(systems)
    placed = [(own, share) for own in systems if (share := own.share or shares.get(own.budget))]
    sizes = sorted({own.setting.size for own, _ in placed}, key=lambda size: pairs_of_size.get(size, 0))
    lines = sorted(
        {(own.method, own.setting.size) for own, _ in placed}, key=lambda line: (line[0], sizes.index(line[1]))
    )
    reach = math.log(max([NARROW, *(share / other for _, share in placed for _, other in placed)]))
    marks: list[tuple[Point, Style]] = []
    for rank, (method, size) in enumerate(lines):
        shift = math.exp(side_by_side(rank, len(lines), reach))
        points = [
            point_of(own, shift * share, value(own))
            for own, share in placed
            if (own.method, own.setting.size) == (method, size)
        ]
        draw_series(axes, points, styles[method], linestyle=BUDGET_DASHES[sizes.index(size) % len(BUDGET_DASHES)])
        marks += [(point, styles[method]) for point in points]
        if shown := [point for point in points if point.value]:
            last = max(shown, key=lambda point: point.x)
            name = styles[method].name + ("" if len(sizes) == 1 else f" {size}")
            label_end(axes, name, x=last.x, y=last.value.mean, colour=styles[method].colour)
    return marks


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


def draw_size_lines(
    axes: "Axes",
    systems: Sequence[System],
    pairs_of_size: Mapping[str, int],
    *,
    styles: Mapping[str, Style],
    value: Value,
) -> list[tuple[Point, Style]]:
    """Draw a line per method and budget over the number of training pairs, with its name at its end.

    Args:
        axes: an empty panel.
        systems: that are drawn.
        pairs_of_size: number of training pairs by size label.
        styles: of all methods.
        value: what stands on y.

    Returns:
        The points with their styles. Gaps are among them and are yet to be marked.
    """
    sized = [system for system in systems if system.setting.size in pairs_of_size]
    lines = sorted({(own.method, own.budget) for own in sized if not is_reference(own)})
    full = full_method(systems)
    counts = sorted({pairs_of_size[system.setting.size] for system in sized})
    count_axis(axes, counts)
    reach = math.log(max(counts) / min(counts))
    marks: list[tuple[Point, Style]] = []
    for rank, (method, budget) in enumerate(lines):
        shift = math.exp(side_by_side(rank, len(lines), reach))
        points = [
            point_of(own, shift * pairs_of_size[own.setting.size], value(own))
            for own in sized
            if (own.method, own.budget) == (method, budget)
        ]
        budgets = [other for name, other in lines if name == method]
        draw_series(axes, points, styles[method], linestyle=BUDGET_DASHES[budgets.index(budget) % len(BUDGET_DASHES)])
        marks += [(point, styles[method]) for point in points]
        shown = [point for point in points if point.value]
        if shown:
            last = max(shown, key=lambda point: point.x)
            plain = budget == NATIVE or method == full or len(budgets) == 1
            name = styles[method].name + ("" if plain else f" {budget}")
            label_end(axes, name, x=last.x, y=last.value.mean, colour=styles[method].colour)
    return marks
