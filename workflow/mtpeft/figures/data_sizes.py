"""The figure `data_sizes` (RQ4): does parameter-efficient fine-tuning beat full fine-tuning when data is small?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Setting, System
from mtpeft.cells import ANY
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.method_lines import SizedSystems, draw_size_lines, pairs_by_size
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import draw_references, label_line, name_with_gaps
from mtpeft.figures.plotting.selection import is_reference, panel_name, settings_of
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw quality against the number of training pairs: a panel per model, pair and test set, a line per method."""
    systems = data.systems
    pairs_of_size = pairs_by_size(systems)
    if not any(own.score and own.setting.size in pairs_of_size for own in systems if not is_reference(own)):
        return nothing_yet()
    rows = sorted({replace(setting, size="") for setting in settings_of(systems)})
    columns = min(2, len(rows))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(rows), columns=columns, width=width, row_height=2.4)
    for position, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        own = [system for system in systems if _holds(system.setting, row)]
        _draw_panel(axes, own, pairs_of_size, styles)
        axes.set_title(panel_name(row, rows))
        axes.set_ylabel(data.metric_name if position % columns == 0 else "")
        axes.set_xlabel("training pairs" if position >= len(panels) - columns else "")
    return Drawing(figure)


def _holds(setting: Setting, row: Setting) -> bool:
    """Return whether a system of this setting stands in the panel of `row`, whatever its size."""
    return setting.model in (row.model, ANY) and setting.pair == row.pair and setting.test_set == row.test_set


def _draw_panel(
    axes: "Axes", systems: Sequence[System], pairs_of_size: dict[str, int], styles: dict[str, Style]
) -> None:
    marks = draw_size_lines(axes, SizedSystems(systems, pairs_of_size, lambda system: system.score, styles))
    axes.margins(x=0.06, y=0.08)
    references = _reference_lines([own for own in systems if is_reference(own)], pairs_of_size, axes.get_xlim()[1])
    draw_references(
        axes,
        [(styles[method], [point_of(own, x, own.score) for x, own in line]) for method, line in references.items()],
    )
    draw_gaps(axes, marks)
    for method, line in references.items():
        x, last = next((placed for placed in reversed(line) if placed[1].score), line[-1])
        label_line(axes, x, last.score, name=name_with_gaps(styles[method].name, last), colour=styles[method].colour)


def _reference_lines(
    systems: Sequence[System], pairs_of_size: dict[str, int], right: float
) -> dict[str, list[tuple[float, System]]]:
    """Return by method its reference rows with their x, from left to right; rows without a size stand at the right."""
    lines: dict[str, list[tuple[float, System]]] = {}
    for system in systems:
        lines.setdefault(system.method, []).append((pairs_of_size.get(system.setting.size, right), system))
    return {method: sorted(line, key=lambda placed: placed[0]) for method, line in lines.items()}


DATA_SIZES = Figure(
    name="data_sizes",
    question="Does parameter-efficient fine-tuning beat full fine-tuning when data is small?",
    caption="{metric} against the number of training pairs (logarithmic), one line per method and budget, full "
    "fine-tuning in black. A line that lies above the black one at the left and below it at the right shows "
    "from which amount of data it pays to train every parameter. Learning rates are those of the "
    "configuration; where they are the same for every size, a crossing may be due to them.",
    draw=draw,
)
