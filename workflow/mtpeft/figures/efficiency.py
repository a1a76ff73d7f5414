"""Quality against what it costs: parameters, bytes, memory, training time and decoding speed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from mtpeft.analysis.tables import Interval, Setting, System, Tables
from mtpeft.figures.plotting.panels import Drawing, Point, draw_point, grid, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import FULL_DASHES
from mtpeft.figures.plotting.style import INK, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import full_method, in_setting, is_reference, pair_name, settings_of

COSTS = {
    "trained_parameters": "trained parameters",
    "stored_bytes": "stored bytes",
    "peak_memory_mb": "peak memory (MB)",
    "train_seconds": "training time (s)",
    "decode_sentences_per_second": "decoding (sentences/s)",
}
SIZES = ("trained_parameters", "stored_bytes")
COLUMNS = 3


def draw_efficiency(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Difference to full fine-tuning against five costs, in the setting that has most systems."""
    full = full_method(tables.systems)
    settings = settings_of(tables.systems)
    shown = {setting: _comparable(in_setting(tables.systems, setting), full) for setting in settings}
    chosen = max(settings, key=lambda setting: len(shown[setting]), default=None)
    if chosen is None or not shown[chosen]:
        return nothing_yet()
    figure, panels = grid(len(COSTS) + 1, columns=COLUMNS, width=TWO_COLUMNS, row_height=1.7)
    for position, (axes, (column, label)) in enumerate(zip(panels, COSTS.items(), strict=False)):
        _draw_panel(axes, shown[chosen], column, looks)
        axes.set_xlabel(label)
        axes.set_ylabel("" if position % COLUMNS else f"{tables.metric_name} \N{MINUS SIGN} full")
        if position:
            axes.sharey(panels[0])
        axes.tick_params(labelleft=position % COLUMNS == 0)
    panels[0].set_title(_named(chosen))
    _name_methods(panels[-1], sorted({system.method for system in shown[chosen]}), looks)
    settings_with_systems = len([setting for setting in settings if shown[setting]])
    note = f"Of {settings_with_systems} settings the one with most systems; the table has all."
    return Drawing(figure, [note] if settings_with_systems > 1 else [])


def _comparable(systems: Sequence[System], full: str | None) -> list[System]:
    """Fine-tuned systems that have a difference to full fine-tuning, and full fine-tuning itself."""
    found = [system for system in systems if not is_reference(system) and system.score and system.costs]
    return [system for system in found if system.minus_full or system.method == full]


def _named(setting: Setting) -> str:
    return f"{pair_name(setting.pair)}, {setting.model}, {setting.size}"


def _draw_panel(axes: Axes, systems: Sequence[System], column: str, looks: dict[str, Look]) -> None:
    axes.axhline(0, color=INK, linestyle=FULL_DASHES, linewidth=0.9, zorder=1)
    lines: dict[str, list[Point]] = {}
    for system in systems:
        cost = system.costs.get(column)
        if cost:
            point = point_of(system, cost, system.minus_full or Interval(0.0, 0.0, 0.0))
            draw_point(axes, point, looks[system.method])
            lines.setdefault(system.method, []).append(point)
    if column in SIZES:
        for method, points in lines.items():
            xs, ys = [point.x for point in points], [point.value.mean for point in points]
            axes.plot(xs, ys, color=looks[method].colour, linewidth=0.7, zorder=2.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.08, y=0.08)


def _name_methods(axes: Axes, methods: Sequence[str], looks: dict[str, Look]) -> None:
    """The legend, in the place that the panels leave."""
    axes.set_axis_off()
    handles = [
        Line2D(
            [],
            [],
            color=looks[method].colour,
            marker=looks[method].marker,
            markersize=looks[method].size,
            linestyle="",
            label=looks[method].name,
        )
        for method in methods
    ]
    axes.legend(handles=handles, loc="center left", handletextpad=0.4, labelspacing=0.35, borderaxespad=0)
