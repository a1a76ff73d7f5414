"""Lines of methods over the trained share of the base model, for the figures that have it as their axis."""

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Interval, System
from mtpeft.cells import NATIVE
from mtpeft.figures.plotting.panels import Point, draw_series, point_of, share_axis, side_by_side
from mtpeft.figures.plotting.style import Look

NARROW = 2.0
"""Shares that differ by less than this factor are no axis of their own."""


def draw_methods(
    axes: Axes,
    systems: Sequence[System],
    value: Callable[[System], Interval | None],
    *,
    shares: Mapping[str, float],
    looks: Mapping[str, Look],
) -> list[tuple[Point, Look]]:
    """One line per method, side by side at each budget; methods whose size is a point are single points.

    Args:
        axes: an empty panel.
        systems: of the methods that are drawn.
        value: what stands on the y axis.
        shares: where a system stands that has no share of its own, by budget.
        looks: of all methods.

    Returns:
        The points with their looks, gaps among them, which are yet to be marked.
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
        draw_series(axes, points, looks[method])
        marks += [(point, looks[method]) for point in points]
    return marks
