"""Quality against what it costs: parameters, bytes, memory, training time and decoding speed."""

from collections import defaultdict
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from mtpeft.cells import Cell
from mtpeft.figures.groups import Group, Spread, group_seeds, is_reference, panel_name, settings_of, spread_of
from mtpeft.figures.panels import Drawing, draw_point, grid, nothing_yet
from mtpeft.figures.style import TWO_COLUMNS, Look
from mtpeft.figures.tables import OK, Cost, Tables

COSTS = {
    "trained_parameters": "trained parameters",
    "stored_bytes": "stored bytes",
    "peak_memory_mb": "peak memory (MB)",
    "train_seconds": "training time (s)",
    "decode_sentences_per_second": "decoding (sentences/s)",
}
SIZES = ("trained_parameters", "stored_bytes")


@dataclass(frozen=True)
class Priced:
    """A group with one of its costs, averaged over the seeds that have both a score and that cost."""

    group: Group
    cost: float
    spread: Spread


def draw_efficiency(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF against five costs: one row of panels per model, pair, size and test set."""
    groups = [group for group in group_seeds(tables.scores) if not is_reference(group)]
    costs = {cost.cell: cost for cost in tables.costs}
    priced = {column: price(groups, costs, column) for column in COSTS}
    found = {entry.group.setting for entries in priced.values() for entry in entries}
    settings = [setting for setting in settings_of(groups) if setting in found]
    if not settings:
        return nothing_yet()
    figure, panels = grid(len(settings) * len(COSTS), columns=len(COSTS), width=TWO_COLUMNS, row_height=1.55)
    for position, axes in enumerate(panels):
        setting, column = settings[position // len(COSTS)], list(COSTS)[position % len(COSTS)]
        _draw_panel(axes, [entry for entry in priced[column] if entry.group.setting == setting], looks)
        _scale(axes, column)
        first = position % len(COSTS) == 0
        axes.set_title(panel_name(setting, settings) if first else "")
        axes.set_ylabel("chrF" if first else "")
        axes.set_xlabel(COSTS[column] if position >= len(panels) - len(COSTS) else "")
        if not first:
            axes.sharey(panels[position - position % len(COSTS)])
            axes.tick_params(labelleft=False)
    shown = sorted({entry.group.method for entries in priced.values() for entry in entries})
    return Drawing(figure, legend=[looks[method] for method in shown])


def price(groups: list[Group], costs: dict[Cell, Cost], column: str) -> list[Priced]:
    """The groups of which at least one seed has both a score and the cost; no cost is guessed."""
    found = []
    for group in groups:
        values: dict[str, list[float]] = defaultdict(list)
        for row in group.rows:
            cost = getattr(costs.get(row.cell), column, None)
            if row.status == OK and cost is not None and cost > 0:
                values["cost"].append(cost)
                values["chrf"].append(row.chrf)
        spread = spread_of(values["chrf"])
        if spread is not None:
            found.append(Priced(group, sum(values["cost"]) / len(values["cost"]), spread))
    return found


def _draw_panel(axes: Axes, entries: list[Priced], looks: dict[str, Look]) -> None:
    for entry in entries:
        look = looks[entry.group.method]
        draw_point(axes, entry.cost, entry.spread, look, hollow=entry.group.untouched)
    axes.margins(x=0.1, y=0.1)


def _scale(axes: Axes, column: str) -> None:
    """Sizes span orders of magnitude; what is measured does not, and reads best from a plain axis."""
    if column in SIZES:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, numticks=4))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
