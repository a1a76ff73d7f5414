"""RQ3: how do the pre-training objective and the size of the base model matter?"""

from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.cells import ANY
from mtpeft.figures.groups import Group, full_method, group_seeds, is_reference, panel_name, settings_of
from mtpeft.figures.panels import (
    Drawing,
    Point,
    draw_gaps,
    draw_point,
    draw_series,
    grid,
    nothing_yet,
    point_of,
)
from mtpeft.figures.style import GREY, ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.tables import Tables

ROOM = 0.8
"""Width that the points of one model take of the distance to the next."""


def draw_models(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF of all methods and budgets, side by side for each base model; one panel per pair, size and test set."""
    groups = group_seeds(tables.scores)
    if not any(group.spread for group in groups if not is_reference(group)):
        return nothing_yet()
    rows = sorted({replace(setting, model="") for setting in settings_of(groups)})
    models = _by_size(groups)
    columns = 1 if len(rows) == 1 and len(models) < 4 else min(2, len(rows))
    width = ONE_COLUMN if len(rows) == 1 and len(models) < 4 else TWO_COLUMNS
    figure, panels = grid(len(rows), columns=columns, width=width, row_height=2.3)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [
            group
            for group in groups
            if group.setting.model in models
            and group.setting.pair == row.pair
            and group.setting.size in (row.size, ANY)
            and group.setting.test_set == row.test_set
        ]
        _draw_panel(axes, own, models, looks)
        axes.set_title(panel_name(row, rows))
        axes.set_ylabel("chrF" if position % columns == 0 else "")
    shown = sorted({group.method for group in groups if group.setting.model in models})
    return Drawing(figure, legend=[looks[method] for method in shown])


def _by_size(groups: list[Group]) -> list[str]:
    """Base models from the smallest to the largest."""
    sizes: dict[str, int] = {}
    for group in groups:
        if not is_reference(group):
            counts = [row.total_parameters or 0 for row in group.rows]
            sizes[group.setting.model] = max([sizes.get(group.setting.model, 0), *counts])
    return sorted(sizes, key=lambda model: (sizes[model], model))


def _draw_panel(axes: Axes, groups: list[Group], models: list[str], looks: dict[str, Look]) -> None:
    full = full_method(groups)
    tuned = [group for group in groups if not is_reference(group)]
    slots = sorted(
        {(group.method, group.budget) for group in tuned if group.method != full},
        key=lambda slot: (slot[0], max(group.share or 0.0 for group in tuned if (group.method, group.budget) == slot)),
    )
    step = ROOM / (len(slots) + 1)
    offsets = {slot: (rank + 1) * step - ROOM / 2 for rank, slot in enumerate(slots)}
    axes.set_xlim(-0.5, len(models) - 0.5)
    marks: list[tuple[Point, Look]] = []
    for place, model in enumerate(models):
        own = [group for group in groups if group.setting.model == model]
        for method in sorted({method for method, _ in slots}):
            points = [
                point_of(group, place + offsets[method, group.budget], group.spread)
                for group in own
                if group.method == method
            ]
            draw_series(axes, points, looks[method])
            marks += [(point, looks[method]) for point in points]
        marks += _draw_full_and_references(axes, [g for g in own if g.method == full or is_reference(g)], place, looks)
    axes.set_xticks(range(len(models)), models)
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.12)
    for border in range(len(models) - 1):
        axes.axvline(border + 0.5, color="#DDDDDD", linewidth=0.6, zorder=0)
    draw_gaps(axes, marks)


def _draw_full_and_references(
    axes: Axes, groups: list[Group], place: int, looks: dict[str, Look]
) -> list[tuple[Point, Look]]:
    """Full fine-tuning at the left of its model with a line to the larger ones; the reference rows as ticks."""
    marks: list[tuple[Point, Look]] = []
    left, right = place - ROOM / 2, place + ROOM / 2
    for group in groups:
        look, spread = looks[group.method], group.spread
        marks.append((point_of(group, right if is_reference(group) else left, spread), look))
        if spread is None:
            continue
        if is_reference(group):
            axes.plot([left, right], [spread.mean] * 2, color=look.colour, linewidth=1.0, linestyle=(0, (1, 1)))
        else:
            draw_point(axes, left, spread, look, hollow=group.untouched)
            end = axes.get_xlim()[1]
            axes.plot([left, end], [spread.mean] * 2, color=GREY, linewidth=0.6, linestyle=(0, (5, 2)), zorder=1)
    return marks
