"""The figure `budgets` (RQ1): which method works best for a given parameter budget?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import System
from mtpeft.cells import NATIVE
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.label_placement import label_beside, label_end
from mtpeft.figures.plotting.method_lines import NARROW, draw_share_lines
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import (
    draw_band,
    draw_references,
    draw_upright_band,
    label_line,
    name_with_gaps,
)
from mtpeft.figures.plotting.rows import RowGroup, draw_rows, rows_height
from mtpeft.figures.plotting.selection import (
    budget_shares,
    full_method,
    in_setting,
    is_reference,
    panel_name,
    settings_of,
    tuned_methods,
)
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED_PANELS = 4
"""Most panels in which lines have their names at their ends; with more panels there is a legend."""
ROOM = 0.1
"""Share of the axis that is added at its left for the names of methods of one size, the smallest of all."""


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw quality against the trained share of the base model: one panel per setting, one line per method."""
    systems = data.systems
    settings = [
        setting for setting in settings_of(systems) if any(system.score for system in in_setting(systems, setting))
    ]
    if not settings:
        return nothing_yet()
    panels_systems = [in_setting(systems, setting) for setting in settings]
    names = [panel_name(setting, settings) for setting in settings]
    shares = [system.share for system in systems if system.share and system.method in tuned_methods(systems)]
    if not shares or max(shares) < NARROW * min(shares):
        return _draw_without_axis(panels_systems, [f"{data.metric_name}, {name}" for name in names], styles)
    labelled = len(settings) <= LABELLED_PANELS
    columns = 1 if len(settings) == 1 else 2 if labelled else 3
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(settings), columns=columns, width=width, row_height=2.6 if columns < 3 else 1.9)
    for axes, own, name in zip(panels, panels_systems, names, strict=True):
        _draw_panel(axes, own, budget_shares(systems), styles)
        if labelled:
            _label_methods(axes, own, styles)
        axes.set_title(name)
    for position, axes in enumerate(panels):
        axes.set_ylabel(data.metric_name if position % columns == 0 else "")
        axes.set_xlabel("trained share of base model (%)" if position >= len(panels) - columns else "")
    return Drawing(figure, legend=[] if labelled else [styles[method] for method in tuned_methods(systems)])


def _draw_panel(axes: "Axes", systems: Sequence[System], shares: dict[str, float], styles: dict[str, Style]) -> None:
    """Draw the lines of methods, full fine-tuning as a band, and the reference rows."""
    full = full_method(systems)
    methods = tuned_methods(systems)
    tuned = [system for system in systems if system.method in methods]
    marks = draw_share_lines(axes, tuned, lambda system: system.score, shares=shares, styles=styles)
    axes.margins(x=0.06, y=0.08)
    if any(system.budget == NATIVE for system in systems):
        low, high = axes.get_xlim()
        axes.set_xlim(low * (low / high) ** ROOM, high)
    band = next((system for system in systems if system.method == full), None)
    if band:
        draw_band(axes, band.score, styles[full])
    right = axes.get_xlim()[1]
    flat = [system for system in systems if is_reference(system)]
    draw_references(axes, [(styles[own.method], [point_of(own, right, own.score)]) for own in flat])
    draw_gaps(axes, marks)
    for system in flat if band is None else [*flat, band]:
        style = styles[system.method]
        label_line(axes, right, system.score, name=name_with_gaps(style.name, system), colour=style.colour)


def _label_methods(axes: "Axes", systems: Sequence[System], styles: dict[str, Style]) -> None:
    """Write the names of methods at the ends of their lines, and beside the points of methods of one size."""
    for method in tuned_methods(systems):
        shown = [system for system in systems if system.method == method and system.score and system.share]
        if shown:
            last = max(shown, key=lambda system: system.share)
            label = label_beside if last.budget == NATIVE else label_end
            label(axes, styles[method].name, x=last.share, y=last.score.mean, colour=styles[method].colour)


def _draw_without_axis(panels_systems: list[list[System]], names: list[str], styles: dict[str, Style]) -> Drawing:
    """Draw systems below each other, full fine-tuning first, where there is one budget and so no axis of shares."""
    groups = []
    for own in panels_systems:
        full = full_method(own)
        tuned = [system for system in own if not is_reference(system)]
        tuned.sort(key=lambda system: (system.method != full, system.method, system.share or 0.0))
        groups.append(RowGroup("", tuned, [system for system in own if is_reference(system)]))
    columns = min(2, len(groups))
    height = max(rows_height([group]) for group in groups)
    figure, panels = grid(
        len(groups), columns=columns, width=ONE_COLUMN if columns == 1 else TWO_COLUMNS, row_height=height
    )
    for axes, group, name in zip(panels, groups, names, strict=True):
        draw_rows(axes, [group], styles, name=name)
        full = full_method(group.systems)
        if full:
            band = next(system for system in group.systems if system.method == full)
            draw_upright_band(axes, band, styles[full], name=styles[full].name)
    return Drawing(figure)


BUDGETS = Figure(
    name="budgets",
    question="For a given parameter budget, which method works best?",
    caption="{metric} against the trained share of the base model (logarithmic), one panel per language pair, one "
    "line per method. At each budget the methods stand side by side so that their intervals show; methods of "
    "one size are single points. Where there is one budget alone, systems stand below each other instead. The "
    "dashed line is full fine-tuning, and its band the interval. Thin lines are the untouched model (none), "
    "training from random weights (scratch) and the target of the nearest training source (retrieval); a line "
    "that lies far outside is named at the edge with an arrow and its score. Open markers: step 0 was best on "
    "dev for at least one seed, so such a point does not speak for its method.",
    draw=draw,
)
