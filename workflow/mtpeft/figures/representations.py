"""Does tuning change how many directions the hidden states of each layer use?"""

from collections.abc import Sequence

from matplotlib.axes import Axes

from mtpeft.analysis.representations import SIDES, CellRanks, LayerLine, layer_lines
from mtpeft.analysis.tables import Setting, Tables
from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.figures.plotting.labels import label_end
from mtpeft.figures.plotting.panels import Drawing, Point, draw_series, grid, nothing_yet, side_by_side
from mtpeft.figures.plotting.reference_lines import DASHES, name_with_gaps
from mtpeft.figures.plotting.style import TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import REFERENCES, budget_shares, fits, panel_name

EVERYWHERE = (ALL, ANY, NATIVE)
"""Budgets of what stands beside the methods of every budget."""
Row = tuple[Setting, str]


def draw_representations(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Effective rank by layer, the encoder at the left: a row per setting and budget, a line per method."""
    rows = {row: layer_lines(_in_row(tables.ranks, row)) for row in _rows(tables.ranks)}
    rows = {row: lines for row, lines in rows.items() if any(line.ranks for line in lines)}
    if not rows:
        return nothing_yet()
    names = _names(list(rows), budget_shares(tables.systems))
    figure, panels = grid(2 * len(rows), columns=2, width=TWO_COLUMNS, row_height=2.3)
    for place, lines in enumerate(rows.values()):
        pair = panels[2 * place : 2 * place + 2]
        for axes, side in zip(pair, SIDES, strict=True):
            _draw_side(axes, lines, side, looks)
            axes.set_xlabel(f"{side} layer" if place == len(rows) - 1 else "")
        pair[0].set_title(names[place])
        pair[0].set_ylabel("effective rank")
        _label_lines(pair[1], lines, looks)
    return Drawing(figure)


def _rows(cells: Sequence[CellRanks]) -> list[Row]:
    """Settings of the tuned cells with their budgets; one of its own where all methods are of one size."""
    tuned = [cell for cell in cells if cell.method not in REFERENCES]
    sized = {(cell.setting, cell.budget) for cell in tuned if cell.budget not in EVERYWHERE}
    alone = {cell.setting for cell in tuned} - {setting for setting, _ in sized}
    return sorted([*sized, *((setting, "") for setting in alone)])


def _in_row(cells: Sequence[CellRanks], row: Row) -> list[CellRanks]:
    setting, budget = row
    return [cell for cell in cells if fits(cell.setting, setting) and cell.budget in (*EVERYWHERE, budget)]


def _names(rows: Sequence[Row], shares: dict[str, float]) -> list[str]:
    settings = [setting for setting, _ in rows]
    names = []
    for setting, budget in rows:
        trained = f"{100 * shares[budget]:.2g} % trained" if budget in shares else budget
        names.append(", ".join(filter(None, (panel_name(setting, settings), trained))))
    return names


def _draw_side(axes: Axes, lines: Sequence[LayerLine], side: str, looks: dict[str, Look]) -> None:
    shifts = _shifts(lines, side)
    for line in (line for line in lines if line.ranks):
        look, ranks = looks[line.method], line.ranks[side]
        if line.method in REFERENCES:
            means = [rank.mean for rank in ranks]
            axes.plot(range(1, len(means) + 1), means, color=look.colour, linestyle=DASHES[line.method], zorder=2.5)
        else:
            places = (layer + shifts[line.method, line.budget] for layer in range(1, len(ranks) + 1))
            points = [Point(x, rank, is_open=line.step_zero > 0) for x, rank in zip(places, ranks, strict=True)]
            draw_series(axes, points, look)
    axes.set_xticks(range(1, _layers(lines, side) + 1))
    axes.margins(x=0.08, y=0.08)


def _layers(lines: Sequence[LayerLine], side: str) -> int:
    return max(len(line.ranks[side]) for line in lines if line.ranks)


def _shifts(lines: Sequence[LayerLine], side: str) -> dict[tuple[str, str], float]:
    """Displacement of each tuned system, so that their bars show."""
    tuned = [(line.method, line.budget) for line in lines if line.ranks and line.method not in REFERENCES]
    reach = max(1, _layers(lines, side) - 1)
    return {system: side_by_side(rank, len(tuned), reach) for rank, system in enumerate(tuned)}


def _label_lines(axes: Axes, lines: Sequence[LayerLine], looks: dict[str, Look]) -> None:
    """Names at the last layer; those without any seed stand at the edge with what became of them."""
    side = SIDES[-1]
    shifts, (edge, floor) = _shifts(lines, side), (axes.get_xlim()[1], axes.get_ylim()[0])
    for line in lines:
        look, ranks = looks[line.method], line.ranks.get(side)
        x, y = (len(ranks) + shifts.get((line.method, line.budget), 0.0), ranks[-1].mean) if ranks else (edge, floor)
        label_end(axes, name_with_gaps(look.name, line), x=x, y=y, colour=look.colour)
