"""Lines over the number of training pairs, one per method and budget."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Interval, System
from mtpeft.cells import NATIVE, members_of
from mtpeft.figures.plotting.labels import label_end
from mtpeft.figures.plotting.panels import Point, count_axis, draw_series, point_of, side_by_side
from mtpeft.figures.plotting.style import Look
from mtpeft.figures.plotting.systems import full_method, is_reference

BUDGET_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))


def training_pairs(systems: Sequence[System]) -> dict[str, int]:
    """Number of pairs behind each size label, from any row that reports it: cells that did not run report none.

    What was trained on a group of pairs has as many of each.
    """
    found: dict[str, int] = {}
    for system in systems:
        if system.training_pairs:
            label = system.setting.size
            each = system.training_pairs // len(members_of(system.tuned_on))
            found[label] = max(each, found.get(label, 0))
    return found


def draw_size_lines(
    axes: Axes,
    systems: Sequence[System],
    pairs_of_size: dict[str, int],
    *,
    looks: dict[str, Look],
    value: Callable[[System], Interval | None],
) -> list[tuple[Point, Look]]:
    """A line per method and budget with its name at its end; returns its points, some of which may be gaps."""
    sized = [system for system in systems if system.setting.size in pairs_of_size]
    lines = sorted({(own.method, own.budget) for own in sized if not is_reference(own)})
    full = full_method(systems)
    counts = sorted({pairs_of_size[system.setting.size] for system in sized})
    count_axis(axes, counts)
    reach = math.log(max(counts) / min(counts))
    marks: list[tuple[Point, Look]] = []
    for rank, (method, budget) in enumerate(lines):
        shift = math.exp(side_by_side(rank, len(lines), reach))
        points = [
            point_of(own, shift * pairs_of_size[own.setting.size], value(own))
            for own in sized
            if (own.method, own.budget) == (method, budget)
        ]
        budgets = [other for name, other in lines if name == method]
        draw_series(axes, points, looks[method], linestyle=BUDGET_DASHES[budgets.index(budget) % len(BUDGET_DASHES)])
        marks += [(point, looks[method]) for point in points]
        shown = [point for point in points if point.value]
        if shown:
            last = max(shown, key=lambda point: point.x)
            plain = budget == NATIVE or method == full or len(budgets) == 1
            name = looks[method].name + ("" if plain else f" {budget}")
            label_end(axes, name, x=last.x, y=last.value.mean, colour=looks[method].colour)
    return marks
