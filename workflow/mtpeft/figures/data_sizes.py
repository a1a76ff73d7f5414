"""RQ4: does parameter-efficient fine-tuning beat full fine-tuning when data is small?"""

from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.figures.groups import REFERENCES, Group, Setting, group_seeds, is_reference, panel_name, settings_of
from mtpeft.figures.labels import label_end
from mtpeft.figures.panels import (
    Drawing,
    Point,
    count_axis,
    draw_gaps,
    draw_references,
    draw_series,
    grid,
    label_line,
    nothing_yet,
    point_of,
)
from mtpeft.figures.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.tables import Tables

BUDGET_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))


def draw_data_sizes(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF against the number of training pairs: one panel per model, pair and test set, one line per method."""
    groups = group_seeds(tables.scores)
    pairs_of_size = _training_pairs(groups)
    if not any(group.spread and group.setting.size in pairs_of_size for group in groups if not is_reference(group)):
        return nothing_yet()
    rows = sorted({replace(setting, size="") for setting in settings_of(groups)})
    columns = min(2, len(rows))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(rows), columns=columns, width=width, row_height=2.4)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [group for group in groups if _holds(group.setting, row)]
        _draw_panel(axes, own, pairs_of_size, looks)
        axes.set_title(panel_name(row, rows))
        axes.set_ylabel("chrF" if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    return Drawing(figure)


def _training_pairs(groups: list[Group]) -> dict[str, int]:
    """Number of pairs behind each size label, from any row that reports it: cells that did not run report none."""
    return {
        label: max(group.training_pairs for group in groups if group.setting.size == label and group.training_pairs)
        for label in sorted({group.setting.size for group in groups if group.training_pairs})
    }


def _holds(setting: Setting, row: Setting) -> bool:
    return setting.model in (row.model, ANY) and setting.pair == row.pair and setting.test_set == row.test_set


def _draw_panel(axes: Axes, groups: list[Group], pairs_of_size: dict[str, int], looks: dict[str, Look]) -> None:
    lines: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        if group.setting.size in pairs_of_size:
            lines.setdefault((group.method, group.budget), []).append(group)
    axes.set_xscale("log")
    marks: list[tuple[Point, Look]] = []
    references: list[tuple[Look, list[Point]]] = []
    for (method, budget), own in sorted(lines.items()):
        points = [point_of(group, pairs_of_size[group.setting.size], group.spread) for group in own]
        marks += [(point, looks[method]) for point in points]
        if method in REFERENCES:
            references.append((looks[method], sorted(points, key=lambda point: point.x)))
            continue
        budgets = sorted(name for other, name in lines if other == method)
        draw_series(axes, points, looks[method], linestyle=BUDGET_DASHES[budgets.index(budget) % len(BUDGET_DASHES)])
        shown = [point for point in points if point.spread]
        if shown:
            last = max(shown, key=lambda point: point.x)
            name = looks[method].name + ("" if budget in (ALL, ANY, NATIVE) else f" {budget}")
            label_end(axes, name, x=last.x, y=last.spread.mean, colour=looks[method].colour)
    axes.margins(x=0.06, y=0.12)
    count_axis(axes, sorted({pairs_of_size[group.setting.size] for own in lines.values() for group in own}))
    untrained = [group for group in groups if group.setting.size == ANY]
    right = axes.get_xlim()[1]
    references += [(looks[group.method], [point_of(group, right, group.spread)]) for group in untrained]
    draw_references(axes, references)
    for look, points in references:
        scored = [point for point in points if point.spread]
        label_line(axes, (scored or points)[-1], look)
    draw_gaps(axes, marks)
