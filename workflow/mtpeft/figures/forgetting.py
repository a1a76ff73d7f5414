"""The figure `forgetting`: what does tuning on one pair cost on others that the base model could translate?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Interval, System, read_systems
from mtpeft.config.figures import OTHERS_TABLE
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.method_lines import NARROW, draw_share_lines
from mtpeft.figures.plotting.notes_and_legend import coverage_of
from mtpeft.figures.plotting.panels import Drawing, draw_gaps, grid, nothing_yet, share_range
from mtpeft.figures.plotting.reference_lines import DASHES, draw_band, label_line, name_with_gaps
from mtpeft.figures.plotting.selection import (
    budget_shares,
    full_method,
    is_reference,
    pair_title,
    panel_name,
    settings_of,
    tuned_methods,
)
from mtpeft.figures.plotting.style import KNOWN_STYLES, ONE_COLUMN, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
"""Most panels side by side; the panels of a setting that has more stand on lines of equal length."""
UNTOUCHED = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Panel:
    """Fine-tuned systems on the test set of one pair."""

    title: str
    systems: Sequence[System]


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw quality minus that of the untouched model: for each setting the pair it is tuned on, then the others."""
    others = read_systems(data.files[OTHERS_TABLE], data.metric) if OTHERS_TABLE in data.files else ()
    expected = data.params.get("others")
    coverage = () if expected is None else (coverage_of(others, expected, "decodings of other pairs"),)
    return replace(_draw(data, others, styles), more_systems=others, coverage=coverage)


def _draw(data: FigureData, others: Sequence[System], styles: dict[str, Style]) -> Drawing:
    rows = _rows(data, others)
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
        _draw_panel(axes, panel, shares, styles)
    share_range([axes for axes, _ in drawn])
    for position, (axes, panel) in enumerate(zip(panels, places, strict=True)):
        if panel is None:
            axes.set_axis_off()
            continue
        _label_lines(axes, panel, styles)
        is_lowest = not any(places[position + columns :: columns])
        axes.set_xlabel("trained share of base model (%)" if is_lowest else "")
        axes.set_ylabel("" if position % columns else f"{data.metric_name} \N{MINUS SIGN} none")
        axes.tick_params(labelleft=position % columns == 0)
    return Drawing(figure, legend=[styles[method] for method in tuned_methods(shown)])


def _rows(data: FigureData, others: Sequence[System]) -> list[list[Panel]]:
    """Return the panels of each setting and test set: its own pair first, the others in the order of the study."""
    own, others = ([system for system in part if not is_reference(system)] for part in (data.systems, others))
    settings = settings_of([*own, *others])
    pairs = sorted({system.scored_pair for system in others}, key=lambda pair: (_rank(pair, data.also_score), pair))
    rows = []
    for setting in settings:
        test_sets = {other.test_set for other in settings if other.pair == setting.pair}
        more = f", {setting.test_set}" if len(test_sets) > 1 else ""
        tuned = Panel(f"{panel_name(setting, settings)}, tuned", [one for one in own if one.setting == setting])
        on_others = [
            Panel(
                f"{pair_title(pair)}{more}",
                [one for one in others if one.setting == setting and one.scored_pair == pair],
            )
            for pair in pairs
        ]
        rows.append([panel for panel in (tuned, *on_others) if panel.systems])
    return rows


def _rank(label: str, order: Sequence[str]) -> int:
    return order.index(label) if label in order else len(order)


def _places(row: Sequence[Panel], columns: int) -> list[Panel | None]:
    """Return the panels of a setting on lines of their own, with None in the places that are left."""
    return [*row, *[None] * (-len(row) % columns)]


def _draw_panel(axes: "Axes", panel: Panel, shares: Mapping[str, float], styles: dict[str, Style]) -> None:
    """Draw the lines of methods, the untouched model as a line at 0, and full fine-tuning as a band."""
    full = full_method(panel.systems)
    methods = [system for system in panel.systems if system.method != full]
    marks = draw_share_lines(axes, methods, lambda system: system.minus_none, shares=shares, styles=styles)
    axes.axhline(0, color=KNOWN_STYLES["none"].colour, linestyle=DASHES["none"], linewidth=0.9, zorder=1.5)
    band = _full_of(panel)
    if band:
        draw_band(axes, band.minus_none, styles[full])
    _widen(axes, [point.x for point, _ in marks])
    axes.margins(y=0.08)
    draw_gaps(axes, marks)
    axes.set_title(panel.title)


def _widen(axes: "Axes", places: Sequence[float]) -> None:
    """Make room at both sides, so much that there is a tick where there is one budget alone."""
    if not places:
        return
    margin = 0.06 * math.log(max(places) / min(places))
    if max(places) < NARROW * min(places):
        margin = math.log(NARROW)
    axes.set_xlim(min(places) * math.exp(-margin), max(places) * math.exp(margin))


def _full_of(panel: Panel) -> System | None:
    """Return full fine-tuning, if a panel has it."""
    full = full_method(panel.systems)
    return next((system for system in panel.systems if system.method == full), None)


def _label_lines(axes: "Axes", panel: Panel, styles: dict[str, Style]) -> None:
    """Write the names of the lines across the panel; that of full fine-tuning says which seeds it lacks."""
    right, band = axes.get_xlim()[1], _full_of(panel)
    label_line(axes, right, UNTOUCHED, name="none", colour=KNOWN_STYLES["none"].colour)
    if band:
        style = styles[band.method]
        label_line(axes, right, band.minus_none, name=name_with_gaps(style.name, band), colour=style.colour)


FORGETTING = Figure(
    name="forgetting",
    question="What does tuning on one pair cost on others that the base model could translate?",
    caption="{metric} minus that of the untouched model on the test set of each pair, against the trained share of "
    "the base model (logarithmic): at the left the pair that was tuned on, then the others, one row per tuned "
    "setting; all panels share one range. Above the line ``none`` a pair has gained, below it the model has "
    "forgotten. Black is full fine-tuning, and its band the interval. Open markers: step 0 was best on dev "
    "for at least one seed, so nothing was tuned there and nothing lost. Differences to full fine-tuning have "
    "their intervals in ``others.csv``.",
    draw=draw,
    shows="differences",
    needs=(OTHERS_TABLE,),
)
