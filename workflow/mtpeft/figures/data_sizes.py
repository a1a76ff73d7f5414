"""RQ4: does parameter-efficient fine-tuning beat full fine-tuning when data is small?"""

import math
from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.cells import ANY, NATIVE
from mtpeft.figures.labels import label_end
from mtpeft.figures.panels import (
    Drawing,
    Point,
    count_axis,
    draw_gaps,
    draw_series,
    grid,
    nothing_yet,
    point_of,
    side_by_side,
)
from mtpeft.figures.reference_lines import draw_references, label_line, name_with_gaps
from mtpeft.figures.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.systems import full_method, is_reference, panel_name, settings_of
from mtpeft.figures.tables import Setting, System, Tables

BUDGET_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))


def draw_data_sizes(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF against the number of training pairs: one panel per model, pair and test set, one line per method."""
    systems = tables.systems
    pairs_of_size = _training_pairs(systems)
    if not any(own.chrf and own.setting.size in pairs_of_size for own in systems if not is_reference(own)):
        return nothing_yet()
    rows = sorted({replace(setting, size="") for setting in settings_of(systems)})
    columns = min(2, len(rows))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(rows), columns=columns, width=width, row_height=2.4)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [system for system in systems if _holds(system.setting, row)]
        _draw_panel(axes, own, pairs_of_size, looks)
        axes.set_title(panel_name(row, rows))
        axes.set_ylabel("chrF" if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    return Drawing(figure)


def _training_pairs(systems: Sequence[System]) -> dict[str, int]:
    """Number of pairs behind each size label, from any row that reports it: cells that did not run report none."""
    found: dict[str, int] = {}
    for system in systems:
        if system.training_pairs:
            label = system.setting.size
            found[label] = max(system.training_pairs, found.get(label, 0))
    return found


def _holds(setting: Setting, row: Setting) -> bool:
    return setting.model in (row.model, ANY) and setting.pair == row.pair and setting.test_set == row.test_set


def _draw_panel(axes: Axes, systems: Sequence[System], pairs_of_size: dict[str, int], looks: dict[str, Look]) -> None:
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
            point_of(own, shift * pairs_of_size[own.setting.size], own.chrf)
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
    axes.margins(x=0.06, y=0.08)
    references = _reference_lines([own for own in systems if is_reference(own)], pairs_of_size, axes.get_xlim()[1])
    draw_references(
        axes, [(looks[method], [point_of(own, x, own.chrf) for x, own in line]) for method, line in references.items()]
    )
    draw_gaps(axes, marks)
    for method, line in references.items():
        x, last = next((placed for placed in reversed(line) if placed[1].chrf), line[-1])
        label_line(axes, x, last.chrf, name=name_with_gaps(looks[method].name, last), colour=looks[method].colour)


def _reference_lines(
    systems: Sequence[System], pairs_of_size: dict[str, int], right: float
) -> dict[str, list[tuple[float, System]]]:
    """Reference rows with their places in the order of x, by method; those without a size stand at the right end."""
    lines: dict[str, list[tuple[float, System]]] = {}
    for system in systems:
        lines.setdefault(system.method, []).append((pairs_of_size.get(system.setting.size, right), system))
    return {method: sorted(line, key=lambda placed: placed[0]) for method, line in lines.items()}
