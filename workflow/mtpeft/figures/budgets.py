"""RQ1: which method works best for a given parameter budget?"""

from matplotlib.axes import Axes

from mtpeft.cells import NATIVE
from mtpeft.figures.groups import Group, full_method, group_seeds, in_setting, is_reference, panel_name, settings_of
from mtpeft.figures.labels import label_beside, label_end
from mtpeft.figures.panels import (
    Drawing,
    draw_full_band,
    draw_gaps,
    draw_references,
    draw_series,
    grid,
    label_line,
    nothing_yet,
    point_of,
    share_axis,
)
from mtpeft.figures.style import ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.tables import Tables

LABELLED_PANELS = 4
"""Up to so many panels the lines carry their names; beyond, a legend does."""


def draw_budgets(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF against the trained share of the base model: one panel per setting, one line per method."""
    groups = group_seeds(tables.scores)
    settings = [
        setting for setting in settings_of(groups) if any(group.spread for group in in_setting(groups, setting))
    ]
    if not settings:
        return nothing_yet()
    labelled = len(settings) <= LABELLED_PANELS
    columns = 1 if len(settings) == 1 else 2 if labelled else 3
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(settings), columns=columns, width=width, row_height=2.4 if columns < 3 else 1.9)
    for axes, setting in zip(panels, settings, strict=True):
        own = in_setting(groups, setting)
        _draw_panel(axes, own, looks)
        if labelled:
            _label_methods(axes, own, looks)
        axes.set_title(panel_name(setting, settings))
    for position, axes in enumerate(panels):
        axes.set_ylabel("chrF" if position % columns == 0 else "")
        axes.set_xlabel("trained share of base model (%)" if position >= len(panels) - columns else "")
    return Drawing(figure, legend=[] if labelled else [looks[method] for method in _methods(groups)])


def _methods(groups: list[Group]) -> list[str]:
    """The fine-tuning methods but the one that serves as reference, sorted."""
    return sorted({group.method for group in groups if not is_reference(group)} - {full_method(groups)})


def _draw_panel(axes: Axes, groups: list[Group], looks: dict[str, Look]) -> None:
    full = full_method(groups)
    share_axis(axes)
    marks = []
    for method in _methods(groups):
        own = [group for group in groups if group.method == method and group.share]
        points = [point_of(group, group.share, group.spread) for group in own]
        draw_series(axes, points, looks[method])
        marks += [(point, looks[method]) for point in points]
    axes.margins(x=0.06, y=0.12)
    reference = next((group for group in groups if group.method == full), None)
    if reference is not None:
        draw_full_band(axes, reference, looks[reference.method])
    right = axes.get_xlim()[1]
    flat = [group for group in groups if is_reference(group)]
    draw_references(axes, [(looks[group.method], [point_of(group, right, group.spread)]) for group in flat])
    for group in flat if reference is None else [*flat, reference]:
        label_line(axes, point_of(group, right, group.spread), looks[group.method])
    draw_gaps(axes, marks)


def _label_methods(axes: Axes, groups: list[Group], looks: dict[str, Look]) -> None:
    """Names at the ends of lines, and beside the points of methods whose size is a point."""
    for method in _methods(groups):
        shown = [group for group in groups if group.method == method and group.spread and group.share]
        if shown:
            last = max(shown, key=lambda group: group.share)
            label = label_beside if last.budget == NATIVE else label_end
            label(axes, looks[method].name, x=last.share, y=last.spread.mean, colour=looks[method].colour)
