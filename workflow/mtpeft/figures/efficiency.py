"""The figure `efficiency`: what does quality cost in parameters, bytes, memory, training time and decoding speed?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Interval, Setting, System
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.panels import (
    Drawing,
    Point,
    draw_point,
    grid,
    legend_handles,
    nothing_yet,
    point_of,
    set_ticks,
)
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.selection import full_method, in_setting, is_reference, pair_title, settings_of
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS = {
    "trained_parameters": "trained parameters",
    "stored_bytes": "stored bytes",
    "peak_memory_mb": "peak memory (MB)",
    "train_seconds": "training time (s)",
    "decode_sentences_per_second": "decoding (sentences/s)",
}
SIZES = ("trained_parameters", "stored_bytes")
COLUMNS = 3


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw the difference to full fine-tuning against five costs, in the setting that has most systems."""
    full = full_method(data.systems)
    settings = settings_of(data.systems)
    shown = {setting: _comparable(in_setting(data.systems, setting), full) for setting in settings}
    chosen = max(settings, key=lambda setting: len(shown[setting]), default=None)
    if chosen is None or not shown[chosen]:
        return nothing_yet()
    figure, panels = grid(len(COSTS) + 1, columns=COLUMNS, width=TWO_COLUMNS, row_height=1.7)
    for position, (axes, (column, label)) in enumerate(zip(panels, COSTS.items(), strict=False)):
        _draw_panel(axes, shown[chosen], column, styles)
        axes.set_xlabel(label)
        axes.set_ylabel("" if position % COLUMNS else f"{data.metric_name} \N{MINUS SIGN} full")
        if position:
            axes.sharey(panels[0])
        axes.tick_params(labelleft=position % COLUMNS == 0)
    panels[0].set_title(_title(chosen))
    _name_methods(panels[-1], sorted({system.method for system in shown[chosen]}), styles)
    settings_with_systems = len([setting for setting in settings if shown[setting]])
    note = f"Of {settings_with_systems} settings the one with most systems; the table has all."
    return Drawing(figure, [note] if settings_with_systems > 1 else [])


def _comparable(systems: Sequence[System], full: str | None) -> list[System]:
    """Return the systems that have a difference to full fine-tuning, and full fine-tuning itself."""
    found = [system for system in systems if not is_reference(system) and system.score and system.costs]
    return [system for system in found if system.minus_full or system.method == full]


def _title(setting: Setting) -> str:
    return f"{pair_title(setting.pair)}, {setting.model}, {setting.size}"


def _draw_panel(axes: "Axes", systems: Sequence[System], column: str, styles: dict[str, Style]) -> None:
    """Draw systems against one cost; the points of a method are joined where the cost is a size."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

    axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=1)
    lines: dict[str, list[Point]] = {}
    for system in systems:
        cost = system.costs.get(column)
        if cost:
            point = point_of(system, cost, system.minus_full or Interval(0.0, 0.0, 0.0))
            draw_point(axes, point, styles[system.method])
            lines.setdefault(system.method, []).append(point)
    if column in SIZES:
        for method, points in lines.items():
            xs, ys = [point.x for point in points], [point.value.mean for point in points]
            axes.plot(xs, ys, color=styles[method].colour, linewidth=0.7, zorder=2.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    else:
        set_ticks(axes.xaxis, 4)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if axes.get_xlim()[1] > 10 else "{x:g}"))
    axes.margins(x=0.08, y=0.08)


def _name_methods(axes: "Axes", methods: Sequence[str], styles: dict[str, Style]) -> None:
    """Write the legend in the place that the panels leave."""
    axes.set_axis_off()
    handles = legend_handles(styles[method] for method in methods)
    axes.legend(handles=handles, loc="center left", handletextpad=0.4, labelspacing=0.35, borderaxespad=0)


EFFICIENCY = Figure(
    name="efficiency",
    question="What does quality cost?",
    caption="{metric} minus that of full fine-tuning against trained parameters, stored bytes (both logarithmic), "
    "peak memory, training time and decoding speed, in the setting in which most systems were run; "
    "``summary.csv`` has all settings. In the first four panels the upper left is best, in the last the upper "
    "right. Times and memory hold for the machine that ran the cells and can be compared only among cells "
    "that ran on the same device. Memory is that of the whole process with its libraries; for small models it "
    "is little else.",
    draw=draw,
    shows="differences",
)
