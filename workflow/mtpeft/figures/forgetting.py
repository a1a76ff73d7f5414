"""What does tuning on one pair cost on others that the base model could translate?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mtpeft.analysis.tables import Interval, System, Tables
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import DASHES, draw_band, label_line, name_with_gaps
from mtpeft.figures.plotting.share_lines import NARROW, draw_methods
from mtpeft.figures.plotting.style import KNOWN, ONE_COLUMN, TWO_COLUMNS, Look
from mtpeft.figures.plotting.systems import (
    budget_shares,
    full_method,
    is_reference,
    pair_name,
    panel_name,
    settings_of,
    tuned_methods,
)

COLUMNS = 3
"""Most panels side by side; those of a setting that has more stand on lines of equal length."""
UNTOUCHED = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Panel:
    """Tuned systems on the test set of one pair."""

    title: str
    systems: Sequence[System]


def draw_forgetting(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """ChrF minus that of the untouched model: for each setting the pair it is tuned on, then the others."""
    rows = _rows(tables)
    shown = [system for row in rows for panel in row for system in panel.systems]
    if not any(system.minus_none for system in shown):
        return nothing_yet()
    widest = max(map(len, rows))
    columns = math.ceil(widest / math.ceil(widest / COLUMNS))
    places = [place for row in rows for place in _places(row, columns)]
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure, panels = grid(len(places), columns=columns, width=width, row_height=2.1)
    drawn = [(axes, panel) for axes, panel in zip(panels, places, strict=True) if panel]
    shares = budget_shares(shown)
    for axes, panel in drawn:
        _draw_panel(axes, panel, shares, looks)
    share_range([axes for axes, _ in drawn])
    for position, (axes, panel) in enumerate(zip(panels, places, strict=True)):
        if panel is None:
            axes.set_axis_off()
            continue
        _label_lines(axes, panel, looks)
        is_lowest = not any(places[position + columns :: columns])
        axes.set_xlabel("trained share of base model (%)" if is_lowest else "")
        axes.set_ylabel("" if position % columns else f"{tables.metric_name} \N{MINUS SIGN} none")
        axes.tick_params(labelleft=position % columns == 0)
    return Drawing(figure, legend=[looks[method] for method in tuned_methods(shown)])


def _rows(tables: Tables) -> list[list[Panel]]:
    """Panels of each tuned setting and test set: its own pair first, the others in the order of the study."""
    own, others = ([system for system in part if not is_reference(system)] for part in (tables.systems, tables.others))
    settings = settings_of([*own, *others])
    pairs = sorted({system.scored_pair for system in others}, key=lambda pair: (_place(pair, tables.also_score), pair))
    rows = []
    for setting in settings:
        test_sets = {other.test_set for other in settings if other.pair == setting.pair}
        more = f", {setting.test_set}" if len(test_sets) > 1 else ""
        tuned = Panel(f"{panel_name(setting, settings)}, tuned", [one for one in own if one.setting == setting])
        on_others = [
            Panel(
                f"{pair_name(pair)}{more}",
                [one for one in others if one.setting == setting and one.scored_pair == pair],
            )
            for pair in pairs
        ]
        rows.append([panel for panel in (tuned, *on_others) if panel.systems])
    return rows


def _place(label: str, order: Sequence[str]) -> int:
    return order.index(label) if label in order else len(order)


def _places(row: Sequence[Panel], columns: int) -> list[Panel | None]:
    """Panels of a setting on lines of their own, with nothing in the places that are left."""
    return [*row, *[None] * (-len(row) % columns)]


def _draw_panel(axes: Axes, panel: Panel, shares: Mapping[str, float], looks: dict[str, Look]) -> None:
    full = full_method(panel.systems)
    methods = [system for system in panel.systems if system.method != full]
    marks = draw_methods(axes, methods, lambda system: system.minus_none, shares=shares, looks=looks)
    axes.axhline(0, color=KNOWN["none"].colour, linestyle=DASHES["none"], linewidth=0.9, zorder=1.5)
    band = _band(panel)
    if band:
        draw_band(axes, band.minus_none, looks[full])
    _widen(axes, [point.x for point, _ in marks])
    axes.margins(y=0.08)
    draw_gaps(axes, marks)
    axes.set_title(panel.title)


def _widen(axes: Axes, places: Sequence[float]) -> None:
    """Room at both sides, so much that there is a tick where there is one budget alone."""
    if not places:
        return
    margin = 0.06 * math.log(max(places) / min(places))
    if max(places) < NARROW * min(places):
        margin = math.log(NARROW)
    axes.set_xlim(min(places) * math.exp(-margin), max(places) * math.exp(margin))


def _band(panel: Panel) -> System | None:
    full = full_method(panel.systems)
    return next((system for system in panel.systems if system.method == full), None)


def _label_lines(axes: Axes, panel: Panel, looks: dict[str, Look]) -> None:
    """Names of the lines across the panel, of full fine-tuning with the seeds that it lacks."""
    right, band = axes.get_xlim()[1], _band(panel)
    label_line(axes, right, UNTOUCHED, name="none", colour=KNOWN["none"].colour)
    if band:
        look = looks[band.method]
        label_line(axes, right, band.minus_none, name=name_with_gaps(look.name, band), colour=look.colour)
