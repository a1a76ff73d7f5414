"""The figure `methods`: which of many methods works best, and what does each cost? Every method has a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtpeft.analysis.read_tables import Interval, Setting, System
from mtpeft.cells import NATIVE
from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.panels import (
    Drawing,
    draw_gap,
    draw_point,
    narrow_share_axis,
    new_figure,
    nothing_yet,
    point_of,
    set_ticks,
)
from mtpeft.figures.plotting.reference_lines import dashes_of, draw_upright_band, view_with
from mtpeft.figures.plotting.rows import FAINT
from mtpeft.figures.plotting.selection import (
    budget_shares,
    full_method,
    gap_of,
    in_setting,
    is_reference,
    panel_name,
    settings_of,
)
from mtpeft.figures.plotting.style import (
    BLUE,
    GREEN,
    PURPLE,
    SKY,
    SMALL_FONT_SIZE,
    TWO_COLUMNS,
    VERMILLION,
    Style,
    text_colour,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS: dict[str, Callable[[System], float | None]] = {
    "trained (%)": lambda system: system.share,
    "training (s)": lambda system: system.costs.get("train_seconds"),
    "memory (MB)": lambda system: system.costs.get("peak_memory_mb"),
}
WIDTHS = (3.4, 1.1, 1.0, 1.0)
"""Widths of the panels relative to each other: quality, then the costs."""
INCHES_PER_ROW = 0.165
INCHES_AROUND = 0.6
APART = 0.4
"""Distance of the systems of one row, in rows, so that their intervals show."""
BUDGET_STYLES = ((BLUE, "o"), (SKY, "o"), (PURPLE, "v"), (GREEN, "^"))
"""Colour and marker of the largest budget, then of smaller ones."""
OWN_SIZE = Style(VERMILLION, "D", "own size", 3.6)


@dataclass(frozen=True)
class Mark:
    """A system with its place from the top, in rows, and its style."""

    height: float
    system: System
    style: Style


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw a row per method, the best first: quality at each budget, trained share, training time and memory.

    Of several settings it shows the one that has most systems.
    """
    settings = settings_of(data.systems)
    scored = {setting: [own for own in data.systems if own.setting == setting and own.score] for setting in settings}
    chosen = max(settings, key=lambda setting: len(scored[setting]), default=None)
    if chosen is None or not scored[chosen]:
        return nothing_yet()
    systems = in_setting(data.systems, chosen)
    rows = _rows(systems)
    names = [styles[row[0].method].name if isinstance(row, list) else row for row in rows]
    budgets = _budget_styles(systems)
    methods = [(number, row) for number, row in enumerate(rows) if isinstance(row, list)]
    marks = [mark for number, row in methods for mark in _placed(number, row, budgets, styles)]
    figure = new_figure(TWO_COLUMNS, INCHES_AROUND + INCHES_PER_ROW * len(rows))
    panels = figure.subplots(1, len(WIDTHS), sharey=True, width_ratios=WIDTHS)
    _draw_scores(panels[0], marks)
    panels[0].set_xlabel(f"{data.metric_name}, {_setting_name(chosen)}")
    for axes, (label, cost) in zip(panels[1:], COSTS.items(), strict=True):
        _draw_costs(axes, marks, cost)
        axes.set_xlabel(label)
    narrow_share_axis(panels[1])
    _set_rows(panels, rows, names)
    note = f"Of {len(settings)} settings the one with most systems; the table has all."
    used = {mark.style for mark in marks}
    return Drawing(
        figure, [note] if len(settings) > 1 else [], [style for style in (*budgets.values(), OWN_SIZE) if style in used]
    )


def _setting_name(setting: Setting) -> str:
    return f"{panel_name(setting, [setting])}, {setting.model}, {setting.size}"


def _rows(systems: Sequence[System]) -> list[str | list[System]]:
    """Return headings, and below each the systems of every method: at a budget, of one size, or to compare with."""
    full = full_method(systems)
    tuned = [own for own in systems if not is_reference(own) and own.method != full]
    blocks = {
        "at a budget": [own for own in tuned if own.budget != NATIVE],
        "of one size": [own for own in tuned if own.budget == NATIVE],
        "to compare with": [own for own in systems if is_reference(own) or own.method == full],
    }
    rows: list[str | list[System]] = []
    for heading, own in blocks.items():
        methods = [[one for one in own if one.method == method] for method in sorted({one.method for one in own})]
        rows += [heading, *sorted(methods, key=_best, reverse=True)] if own else []
    return rows


def _best(systems: Sequence[System]) -> float:
    return max((own.score.mean for own in systems if own.score), default=0.0)


def _budget_styles(systems: Sequence[System]) -> dict[str, Style]:
    """Return a style for each budget, from the smallest."""
    shares = budget_shares(systems)
    ordered = sorted(shares, key=lambda budget: (shares[budget], budget), reverse=True)
    found = {
        budget: Style(*BUDGET_STYLES[rank % len(BUDGET_STYLES)], f"{100 * shares[budget]:.2g} %")
        for rank, budget in enumerate(ordered)
    }
    return dict(reversed(found.items()))


def _placed(row: int, systems: Sequence[System], budgets: dict[str, Style], styles: dict[str, Style]) -> list[Mark]:
    """Place the systems of a row, the smallest budget at the top; a system without a budget has its method's style."""
    ordered = sorted(systems, key=lambda own: (own.share or 0.0, own.budget))
    own_styles = {NATIVE: OWN_SIZE, **budgets}
    marks = []
    for rank, own in enumerate(ordered):
        style = own_styles.get(own.budget, styles[own.method])
        style = replace(style, marker="|", size=7.0) if is_reference(own) else style
        marks.append(Mark(row + APART * (rank - (len(ordered) - 1) / 2), own, style))
    return marks


def _draw_scores(axes: "Axes", marks: Sequence[Mark]) -> None:
    references = [mark for mark in marks if is_reference(mark.system)]
    for mark in marks:
        if mark not in references:
            draw_point(axes, point_of(mark.system, mark.height, mark.system.score), mark.style, vertical=False)
    axes.margins(x=0.03)
    low, high = view_with(axes.get_xlim(), [mark.system.score.mean for mark in references if mark.system.score])
    axes.set_xlim(low, high + 0.04 * any(gap_of(mark.system) for mark in marks) * (high - low))
    for mark in references:
        _draw_reference(axes, mark)
    full = full_method(mark.system for mark in marks)
    for mark in marks:
        if mark.system.method == full:
            draw_upright_band(axes, mark.system, mark.style, name=mark.style.name)
        if gap := point_of(mark.system, mark.height, mark.system.score).gap:
            draw_gap(axes, (0.985, mark.height), gap, mark.style, across=True)
    set_ticks(axes.xaxis, 6, steps=[1, 2, 5, 10])


def _draw_reference(axes: "Axes", mark: Mark) -> None:
    """Draw a reference row as a point and a line through all rows; outside of the range, as an arrow."""
    score = mark.system.score
    if score is None:
        return
    low, high = axes.get_xlim()
    if low <= score.mean <= high:
        draw_point(axes, point_of(mark.system, mark.height, score), mark.style, vertical=False)
        axes.axvline(
            score.mean, color=mark.style.colour, linestyle=dashes_of(mark.system.method), linewidth=0.9, zorder=1.5
        )
        axes.set_xlim(low, high)
        return
    below = score.mean < low
    axes.text(
        0.01 if below else 0.97,
        mark.height,
        f"\N{LEFTWARDS ARROW} {score.text}" if below else f"{score.text} \N{RIGHTWARDS ARROW}",
        transform=axes.get_yaxis_transform(),
        ha="left" if below else "right",
        va="center",
        color=text_colour(mark.style.colour),
        fontsize=SMALL_FONT_SIZE,
    )


def _draw_costs(axes: "Axes", marks: Sequence[Mark], cost: Callable[[System], float | None]) -> None:
    for mark in marks:
        if mark.system.score and (value := cost(mark.system)):
            draw_point(axes, point_of(mark.system, mark.height, Interval(*[value] * 3)), mark.style, vertical=False)
    axes.margins(x=0.1)
    set_ticks(axes.xaxis, 3)


def _set_rows(panels: "Sequence[Axes]", rows: Sequence[str | list[System]], names: Sequence[str]) -> None:
    """Write the names at the left of the first panel, whose rows the others share."""
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for number in (number for number, row in enumerate(rows) if isinstance(row, list)):
            axes.axhline(number, color=FAINT, linewidth=0.6, zorder=0)
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    for number in (number for number, row in enumerate(rows) if isinstance(row, str)):
        panels[0].get_yticklabels()[number].set_weight("bold")


METHODS = Figure(
    name="methods",
    question="Which of many methods works best, and what does it cost?",
    caption="One row per method, the best first: at the left {metric} at each budget, then the share that was trained "
    "(logarithmic), the time of training and the peak memory of the process. Methods of one size stand in a "
    "block of their own. The dashed line is full fine-tuning, and its band the interval; the other lines are "
    "reference rows, and a line that lies far outside is named in its row with an arrow and its score. Every "
    "learning rate was found with equal effort. Open markers: step 0 was best on dev for at least one seed, "
    "so such a point does not speak for its method. Times and memory can be compared only among cells that "
    "ran on the same device.",
    draw=draw,
)
