"""The figure `serving`: what does it cost to compute a part of the feed-forward blocks alone?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtpeft.analysis.score_tables import DIVERGED, MISSING
from mtpeft.analysis.served_systems import ServedSystem, read_served
from mtpeft.cells import ALL, ANY, NATIVE
from mtpeft.config import serving, studies
from mtpeft.config.figures import SERVING_TABLE
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_end
from mtpeft.figures.plotting.method_lines import BUDGET_DASHES
from mtpeft.figures.plotting.panels import (
    Coverage,
    Drawing,
    Point,
    draw_gaps,
    draw_series,
    grid,
    nothing_yet,
    side_by_side,
)
from mtpeft.figures.plotting.reference_lines import name_with_gaps
from mtpeft.figures.plotting.selection import REFERENCE_ROWS, fits, panel_name
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Style, method_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mtpeft.config.schema import Configuration

EVERYWHERE = (ALL, ANY, NATIVE)
"""Labels of budgets that are not written beside a method."""
Line = tuple[str, str]
"""Method and budget."""


def params(configuration: "Configuration", study: str) -> Mapping[str, Any]:
    """Return the number of decodings that the figure shows."""
    if configuration.serving is None:
        return {}
    return {"served": len(studies.served_cells(configuration, study)) * len(serving.active_experts(configuration))}


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw quality against the share of experts: a panel per setting, a line per method and budget."""
    served = read_served(data.files[SERVING_TABLE], data.metric) if SERVING_TABLE in data.files else ()
    drawing = _draw(data, served, method_styles({*styles, *(own.method for own in served)}))
    expected, found = data.params.get("served"), sum(own.seeds + own.diverged for own in served)
    coverage = () if expected is None else (_coverage(found, expected, served),)
    return replace(drawing, coverage=coverage)


def _coverage(found: int, expected: int, served: Sequence[ServedSystem]) -> Coverage:
    """Return how many decodings there are; each counts once, however many test sets it has."""
    sets = max(1, len({own.setting.test_set for own in served}))
    return Coverage(f"{found // sets} of {expected} decodings with experts", found // sets == expected)


def _draw(data: FigureData, served: Sequence[ServedSystem], styles: dict[str, Style]) -> Drawing:
    tuned = [own.setting for own in served if own.method not in REFERENCE_ROWS]
    settings = sorted(set(tuned or [own.setting for own in served]))
    if not any(own.score for own in served):
        return nothing_yet()
    columns = min(2, len(settings))
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(settings), columns=columns, width=width, row_height=2.4)
    for position, (axes, setting) in enumerate(zip(panels, settings, strict=True)):
        _draw_panel(axes, [own for own in served if fits(own.setting, setting)], styles)
        axes.set_title(panel_name(setting, settings))
        axes.set_ylabel(data.metric_name if position % columns == 0 else "")
        axes.set_xlabel("active experts (%)" if position >= len(panels) - columns else "")
    return Drawing(figure)


def _draw_panel(axes: "Axes", served: Sequence[ServedSystem], styles: dict[str, Style]) -> None:
    lines = sorted({(own.method, own.budget) for own in served})
    shares = sorted({own.share for own in served})
    reach = 100 * (max(shares) - min(shares)) or 100.0
    ends, gaps = [], []
    for rank, line in enumerate(lines):
        own = [system for system in served if (system.method, system.budget) == line]
        shift = side_by_side(rank, len(lines), reach)
        points = [_point(system, 100 * system.share + shift) for system in own]
        draw_series(axes, points, styles[line[0]], linestyle=_dashes(line, lines))
        gaps += [(point, styles[line[0]]) for point in points]
        last = max((point for point in points if point.value), key=lambda point: point.x, default=None)
        ends.append((_name(line, lines, styles), last, own[0], styles[line[0]].colour))
    axes.set_xticks([100 * share for share in shares], [f"{100 * share:g}" for share in shares])
    axes.margins(x=0.06, y=0.08)
    draw_gaps(axes, gaps)
    for name, last, system, colour in ends:
        x, y = (last.x, last.value.mean) if last else (axes.get_xlim()[1], axes.get_ylim()[0])
        label_end(axes, name_with_gaps(name, system), x=x, y=y, colour=colour)


def _point(system: ServedSystem, x: float) -> Point:
    gap = DIVERGED if system.diverged else MISSING if system.missing else None
    is_open = system.step_zero > 0 and system.method not in REFERENCE_ROWS
    return Point(x, system.score, gap, is_open)


def _dashes(line: Line, lines: Iterable[Line]) -> Any:
    budgets = [budget for method, budget in lines if method == line[0]]
    return BUDGET_DASHES[budgets.index(line[1]) % len(BUDGET_DASHES)]


def _name(line: Line, lines: Iterable[Line], styles: Mapping[str, Style]) -> str:
    method, budget = line
    is_alone = budget in EVERYWHERE or sum(method == other for other, _ in lines) == 1
    return styles[method].name + ("" if is_alone else f" {budget}")


SERVING = Figure(
    name="serving",
    question="What does it cost to compute a part of the feed-forward blocks alone?",
    caption="{metric} against the share of the experts that each token has, one line per method and budget. The hidden "
    "units of every feed-forward block were split into experts after the training, and a router chooses among them "
    "(MoEfication). With all experts, models translate as they were trained. A line that falls as that of the "
    "untouched model says that what was tuned survives. The table has the operations that were counted, routers "
    "included, and the time that was measured, which need not fall with them.",
    draw=draw,
    needs=(SERVING_TABLE,),
    params=params,
)
