"""RQ1: which method works best for a given parameter budget?"""

from collections.abc import Sequence

from matplotlib.axes import Axes

from mtpeft.analysis.tables import System, Tables
from mtpeft.cells import NATIVE
from mtpeft.figures.plotting.dots import Block, dots_height, draw_dots, draw_upright_band
from mtpeft.figures.plotting.labels import label_beside, label_end
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import draw_band, draw_references, label_line, name_with_gaps
from mtpeft.figures.plotting.share_lines import NARROW, draw_methods
from mtpeft.figures.plotting.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import (
    budget_shares,
    full_method,
    in_setting,
    is_reference,
    panel_name,
    settings_of,
    tuned_methods,
)

LABELLED_PANELS = 4
"""Up to so many panels the lines carry their names; beyond, a legend does."""
ROOM = 0.1
"""Share of the axis that is added at its left for the names of methods whose size is a point, the smallest of all."""


def draw_budgets(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """Quality against the trained share of the base model: one panel per setting, one line per method."""
    systems = tables.systems
    settings = [
        setting for setting in settings_of(systems) if any(system.score for system in in_setting(systems, setting))
    ]
    if not settings:
        return nothing_yet()
    panels_systems = [in_setting(systems, setting) for setting in settings]
    names = [panel_name(setting, settings) for setting in settings]
    shares = [system.share for system in systems if system.share and system.method in tuned_methods(systems)]
    if not shares or max(shares) < NARROW * min(shares):
        return _draw_rows(panels_systems, [f"{tables.metric_name}, {name}" for name in names], looks)
    labelled = len(settings) <= LABELLED_PANELS
    columns = 1 if len(settings) == 1 else 2 if labelled else 3
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(settings), columns=columns, width=width, row_height=2.6 if columns < 3 else 1.9)
    for axes, own, name in zip(panels, panels_systems, names, strict=True):
        _draw_panel(axes, own, budget_shares(systems), looks)
        if labelled:
            _label_methods(axes, own, looks)
        axes.set_title(name)
    for position, axes in enumerate(panels):
        axes.set_ylabel(tables.metric_name if position % columns == 0 else "")
        axes.set_xlabel("trained share of base model (%)" if position >= len(panels) - columns else "")
    return Drawing(figure, legend=[] if labelled else [looks[method] for method in tuned_methods(systems)])


def _draw_panel(axes: Axes, systems: Sequence[System], shares: dict[str, float], looks: dict[str, Look]) -> None:
    full = full_method(systems)
    methods = tuned_methods(systems)
    tuned = [system for system in systems if system.method in methods]
    marks = draw_methods(axes, tuned, lambda system: system.score, shares=shares, looks=looks)
    axes.margins(x=0.06, y=0.08)
    if any(system.budget == NATIVE for system in systems):
        low, high = axes.get_xlim()
        axes.set_xlim(low * (low / high) ** ROOM, high)
    band = next((system for system in systems if system.method == full), None)
    if band:
        draw_band(axes, band.score, looks[full])
    right = axes.get_xlim()[1]
    flat = [system for system in systems if is_reference(system)]
    draw_references(axes, [(looks[own.method], [point_of(own, right, own.score)]) for own in flat])
    draw_gaps(axes, marks)
    for system in flat if band is None else [*flat, band]:
        look = looks[system.method]
        label_line(axes, right, system.score, name=name_with_gaps(look.name, system), colour=look.colour)


def _label_methods(axes: Axes, systems: Sequence[System], looks: dict[str, Look]) -> None:
    """Names at the ends of lines, and beside the points of methods whose size is a point."""
    for method in tuned_methods(systems):
        shown = [system for system in systems if system.method == method and system.score and system.share]
        if shown:
            last = max(shown, key=lambda system: system.share)
            label = label_beside if last.budget == NATIVE else label_end
            label(axes, looks[method].name, x=last.share, y=last.score.mean, colour=looks[method].colour)


def _draw_rows(panels_systems: list[list[System]], names: list[str], looks: dict[str, Look]) -> Drawing:
    """Systems below each other, full fine-tuning first, where there is one budget and so no axis of shares."""
    blocks = []
    for own in panels_systems:
        full = full_method(own)
        tuned = [system for system in own if not is_reference(system)]
        tuned.sort(key=lambda system: (system.method != full, system.method, system.share or 0.0))
        blocks.append(Block("", tuned, [system for system in own if is_reference(system)]))
    columns = min(2, len(blocks))
    height = max(dots_height([block]) for block in blocks)
    figure, panels = grid(
        len(blocks), columns=columns, width=ONE_COLUMN if columns == 1 else TWO_COLUMNS, row_height=height
    )
    for axes, block, name in zip(panels, blocks, names, strict=True):
        draw_dots(axes, [block], looks, name=name)
        full = full_method(block.systems)
        if full:
            band = next(system for system in block.systems if system.method == full)
            draw_upright_band(axes, band, looks[full], name=looks[full].name)
    return Drawing(figure)
