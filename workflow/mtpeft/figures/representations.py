"""The figure `representations`: does tuning change how many directions the hidden states of each layer use?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtpeft.analysis.representations import SIDES, CellRanks, LayerLine, layer_lines, read_ranks
from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.config.figures import REPRESENTATIONS_TABLE
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.panels import Coverage, Drawing, Point, draw_series, grid, nothing_yet, side_by_side
from mtpeft.figures.plotting.reference_lines import DASHES, name_with_gaps
from mtpeft.figures.plotting.selection import REFERENCE_ROWS, PanelRow, budget_shares, fits, panel_name
from mtpeft.figures.plotting.style import TWO_COLUMNS, Style, method_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVERYWHERE = (ALL, ANY, NATIVE)
"""Labels of budgets whose systems are drawn beside the methods of every budget."""


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw effective rank by layer, the encoder at the left: a row per setting and budget, a line per method."""
    cells = read_ranks(data.files[REPRESENTATIONS_TABLE]) if REPRESENTATIONS_TABLE in data.files else ()
    drawing = _draw(data, cells, method_styles({*styles, *(cell.method for cell in cells)}))
    measured = sum(bool(cell.ranks) for cell in cells)
    coverage = Coverage(f"representations of {measured} of {len(cells)} cells", measured == len(cells))
    return replace(drawing, coverage=(coverage,) if cells else ())


def _draw(data: FigureData, cells: Sequence[CellRanks], styles: dict[str, Style]) -> Drawing:
    rows = {row: layer_lines(_in_row(cells, row)) for row in _rows(cells)}
    rows = {row: lines for row, lines in rows.items() if any(line.ranks for line in lines)}
    if not rows:
        return nothing_yet()
    names = _titles(list(rows), budget_shares(data.systems))
    figure, panels = grid(2 * len(rows), columns=2, width=TWO_COLUMNS, row_height=2.3)
    for place, lines in enumerate(rows.values()):
        pair = panels[2 * place : 2 * place + 2]
        shown = {
            side: axes for side, axes in zip(SIDES, pair, strict=True) if any(side in line.ranks for line in lines)
        }
        for side, axes in shown.items():
            _draw_side(axes, [line for line in lines if side in line.ranks], side, styles)
            axes.set_xlabel(f"{side} layer" if place == len(rows) - 1 or len(shown) == 1 else "")
        for axes in set(pair) - set(shown.values()):
            axes.set_axis_off()
        first = next(iter(shown.values()))
        first.set_title(names[place])
        first.set_ylabel("effective rank")
        _label_lines(pair[1], lines, styles)
    return Drawing(figure)


def _rows(cells: Sequence[CellRanks]) -> list[PanelRow]:
    """Return the settings of the tuned cells with their budgets; a setting whose methods all have one size has none."""
    tuned = [cell for cell in cells if cell.method not in REFERENCE_ROWS]
    sized = {(cell.setting, cell.budget) for cell in tuned if cell.budget not in EVERYWHERE}
    alone = {cell.setting for cell in tuned} - {setting for setting, _ in sized}
    return sorted([*sized, *((setting, "") for setting in alone)])


def _in_row(cells: Sequence[CellRanks], row: PanelRow) -> list[CellRanks]:
    """Return the cells that are drawn in a row."""
    setting, budget = row
    return [cell for cell in cells if fits(cell.setting, setting) and cell.budget in (*EVERYWHERE, budget)]


def _titles(rows: Sequence[PanelRow], shares: dict[str, float]) -> list[str]:
    """Return the titles of the rows: what tells their settings apart, and the share that is trained."""
    settings = [setting for setting, _ in rows]
    names = []
    for setting, budget in rows:
        trained = f"{100 * shares[budget]:.2g} % trained" if budget in shares else budget
        names.append(", ".join(filter(None, (panel_name(setting, settings), trained))))
    return names


def _draw_side(axes: "Axes", lines: Sequence[LayerLine], side: str, styles: dict[str, Style]) -> None:
    """Draw the layers of the encoder or of the decoder."""
    shifts = _shifts(lines, side)
    for line in (line for line in lines if line.ranks):
        style, ranks = styles[line.method], line.ranks[side]
        if line.method in REFERENCE_ROWS:
            means = [rank.mean for rank in ranks]
            axes.plot(range(1, len(means) + 1), means, color=style.colour, linestyle=DASHES[line.method], zorder=2.5)
        else:
            places = (layer + shifts[line.method, line.budget] for layer in range(1, len(ranks) + 1))
            points = [Point(x, rank, is_open=line.step_zero > 0) for x, rank in zip(places, ranks, strict=True)]
            draw_series(axes, points, style)
    axes.set_xticks(range(1, _layers(lines, side) + 1))
    axes.margins(x=0.08, y=0.08)


def _layers(lines: Sequence[LayerLine], side: str) -> int:
    return max(len(line.ranks[side]) for line in lines if line.ranks)


def _shifts(lines: Sequence[LayerLine], side: str) -> dict[tuple[str, str], float]:
    """Return how far each tuned system is moved along x, so that all bars show."""
    tuned = [(line.method, line.budget) for line in lines if line.ranks and line.method not in REFERENCE_ROWS]
    reach = max(1, _layers(lines, side) - 1)
    return {system: side_by_side(rank, len(tuned), reach) for rank, system in enumerate(tuned)}


def _label_lines(axes: "Axes", lines: Sequence[LayerLine], styles: dict[str, Style]) -> None:
    """Write the names at the last layer; names of systems without any seed stand at the edge and say why."""
    side = SIDES[-1]
    shifts, (edge, floor) = _shifts(lines, side), (axes.get_xlim()[1], axes.get_ylim()[0])
    for line in lines:
        style, ranks = styles[line.method], line.ranks.get(side)
        x, y = (len(ranks) + shifts.get((line.method, line.budget), 0.0), ranks[-1].mean) if ranks else (edge, floor)
        label_end(axes, name_with_gaps(style.name, line), x=x, y=y, colour=style.colour)


REPRESENTATIONS = Figure(
    name="representations",
    question="Does tuning change how many directions the layers use?",
    caption="Effective rank of the hidden states of all tokens of the dev set behind each layer, the encoder at the "
    "left, one line per method. It is 1 where all states lie on one line, and the width of the model where "
    "all directions are used alike. The dotted line is the untouched model. A line below it says that tuning "
    "has narrowed the range of what the layers represent. Bars reach from the lowest seed to the highest.",
    draw=draw,
    shows="measurements",
    needs=(REPRESENTATIONS_TABLE,),
)
