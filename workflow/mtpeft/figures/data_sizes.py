"""RQ4: does parameter-efficient fine-tuning beat full fine-tuning when data is small?"""

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Setting, System, Tables
from mtpeft.cells import ANY
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import draw_references, label_line, name_with_gaps
from mtpeft.figures.plotting.size_lines import draw_size_lines, training_pairs
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import is_reference, panel_name, settings_of


def draw_data_sizes(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF against the number of training pairs: one panel per model, pair and test set, one line per method."""
    systems = tables.systems
    pairs_of_size = training_pairs(systems)
    if not any(own.score and own.setting.size in pairs_of_size for own in systems if not is_reference(own)):
        return nothing_yet()
    rows = sorted({replace(setting, size="") for setting in settings_of(systems)})
    columns = min(2, len(rows))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(rows), columns=columns, width=width, row_height=2.4)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [system for system in systems if _holds(system.setting, row)]
        _draw_panel(axes, own, pairs_of_size, looks)
        axes.set_title(panel_name(row, rows))
        axes.set_ylabel(tables.metric_name if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    return Drawing(figure)


def _holds(setting: Setting, row: Setting) -> bool:
    return setting.model in (row.model, ANY) and setting.pair == row.pair and setting.test_set == row.test_set


def _draw_panel(axes: Axes, systems: Sequence[System], pairs_of_size: dict[str, int], looks: dict[str, Look]) -> None:
    marks = draw_size_lines(axes, systems, pairs_of_size, looks=looks, value=lambda system: system.score)
    axes.margins(x=0.06, y=0.08)
    references = _reference_lines([own for own in systems if is_reference(own)], pairs_of_size, axes.get_xlim()[1])
    draw_references(
        axes, [(looks[method], [point_of(own, x, own.score) for x, own in line]) for method, line in references.items()]
    )
    draw_gaps(axes, marks)
    for method, line in references.items():
        x, last = next((placed for placed in reversed(line) if placed[1].score), line[-1])
        label_line(axes, x, last.score, name=name_with_gaps(looks[method].name, last), colour=looks[method].colour)


def _reference_lines(
    systems: Sequence[System], pairs_of_size: dict[str, int], right: float
) -> dict[str, list[tuple[float, System]]]:
    """Reference rows with their places in the order of x, by method; those without a size stand at the right end."""
    lines: dict[str, list[tuple[float, System]]] = {}
    for system in systems:
        lines.setdefault(system.method, []).append((pairs_of_size.get(system.setting.size, right), system))
    return {method: sorted(line, key=lambda placed: placed[0]) for method, line in lines.items()}
