"""Which of many methods works best, and what does each cost? Too many for lines: every method has a row of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mtpeft.analysis.tables import Interval, Setting, System, Tables
from mtpeft.cells import NATIVE
from mtpeft.figures.plotting.dots import FAINT, draw_upright_band
from mtpeft.figures.plotting.panels import Drawing, draw_gap, draw_point, nothing_yet, point_of
from mtpeft.figures.plotting.reference_lines import DASHES, view_with
from mtpeft.figures.plotting.style import (
    BLUE,
    GREEN,
    PURPLE,
    SKY,
    SMALL_FONT_SIZE,
    TWO_COLUMNS,
    VERMILLION,
    Look,
    new_figure,
    text_colour,
)
from mtpeft.figures.plotting.systems import (
    budget_shares,
    full_method,
    gap_of,
    in_setting,
    is_reference,
    panel_name,
    settings_of,
)

COSTS: dict[str, Callable[[System], float | None]] = {
    "trained (%)": lambda system: system.share,
    "training (s)": lambda system: system.costs.get("train_seconds"),
    "memory (MB)": lambda system: system.costs.get("peak_memory_mb"),
}
WIDTHS = (3.4, 1.1, 1.0, 1.0)
"""Of the panels: quality, and the costs."""
INCHES_PER_ROW = 0.165
INCHES_AROUND = 0.6
APART = 0.4
"""Distance of the systems of one row, in rows, so that their intervals show."""
BUDGET_LOOKS = ((BLUE, "o"), (SKY, "o"), (PURPLE, "v"), (GREEN, "^"))
"""Of the largest budget, and of smaller ones in turn."""
OWN_SIZE = Look(VERMILLION, "D", "own size", 3.6)


@dataclass(frozen=True)
class Mark:
    """A system with its place from the top, in rows, and its look."""

    height: float
    system: System
    look: Look


def draw_methods(tables: Tables, looks: dict[str, Look]) -> Drawing:
    """A row per method, best first: quality at each budget, trained share, time, memory; one setting, that of most."""
    settings = settings_of(tables.systems)
    scored = {setting: [own for own in tables.systems if own.setting == setting and own.score] for setting in settings}
    chosen = max(settings, key=lambda setting: len(scored[setting]), default=None)
    if chosen is None or not scored[chosen]:
        return nothing_yet()
    systems = in_setting(tables.systems, chosen)
    rows = _rows(systems)
    names = [looks[row[0].method].name if isinstance(row, list) else row for row in rows]
    budgets = _budget_looks(systems)
    methods = [(number, row) for number, row in enumerate(rows) if isinstance(row, list)]
    marks = [mark for number, row in methods for mark in _placed(number, row, budgets, looks)]
    figure = new_figure(TWO_COLUMNS, INCHES_AROUND + INCHES_PER_ROW * len(rows))
    panels = figure.subplots(1, len(WIDTHS), sharey=True, width_ratios=WIDTHS)
    _draw_scores(panels[0], marks)
    panels[0].set_xlabel(f"{tables.metric_name}, {_named(chosen)}")
    for axes, (label, cost) in zip(panels[1:], COSTS.items(), strict=True):
        _draw_costs(axes, marks, cost)
        axes.set_xlabel(label)
    _set_share_axis(panels[1])
    _set_rows(panels, rows, names)
    note = f"Of {len(settings)} settings the one with most systems; the table has all."
    used = {mark.look for mark in marks}
    return Drawing(
        figure, [note] if len(settings) > 1 else [], [look for look in (*budgets.values(), OWN_SIZE) if look in used]
    )


def _named(setting: Setting) -> str:
    return f"{panel_name(setting, [setting])}, {setting.model}, {setting.size}"


def _rows(systems: Sequence[System]) -> list[str | list[System]]:
    """Headings, and below each the systems of every method: those at a budget, of one size, and to compare with."""
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


def _budget_looks(systems: Sequence[System]) -> dict[str, Look]:
    """A look for each budget, from the smallest."""
    shares = budget_shares(systems)
    ordered = sorted(shares, key=lambda budget: (shares[budget], budget), reverse=True)
    found = {
        budget: Look(*BUDGET_LOOKS[rank % len(BUDGET_LOOKS)], f"{100 * shares[budget]:.2g} %")
        for rank, budget in enumerate(ordered)
    }
    return dict(reversed(found.items()))


def _placed(row: int, systems: Sequence[System], budgets: dict[str, Look], looks: dict[str, Look]) -> list[Mark]:
    """Systems of a row, the smallest budget at the top; what has no budget looks as it does everywhere."""
    ordered = sorted(systems, key=lambda own: (own.share or 0.0, own.budget))
    own_looks = {NATIVE: OWN_SIZE, **budgets}
    marks = []
    for rank, own in enumerate(ordered):
        look = own_looks.get(own.budget, looks[own.method])
        look = replace(look, marker="|", size=7.0) if is_reference(own) else look
        marks.append(Mark(row + APART * (rank - (len(ordered) - 1) / 2), own, look))
    return marks


def _draw_scores(axes: Axes, marks: Sequence[Mark]) -> None:
    references = [mark for mark in marks if is_reference(mark.system)]
    for mark in marks:
        if mark not in references:
            draw_point(axes, point_of(mark.system, mark.height, mark.system.score), mark.look, vertical=False)
    axes.margins(x=0.03)
    low, high = view_with(axes.get_xlim(), [mark.system.score.mean for mark in references if mark.system.score])
    axes.set_xlim(low, high + 0.04 * any(gap_of(mark.system) for mark in marks) * (high - low))
    for mark in references:
        _draw_reference(axes, mark)
    full = full_method(mark.system for mark in marks)
    for mark in marks:
        if mark.system.method == full:
            draw_upright_band(axes, mark.system, mark.look, name=mark.look.name)
        if gap := point_of(mark.system, mark.height, mark.system.score).gap:
            draw_gap(axes, (0.985, mark.height), gap, mark.look, across=True)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _draw_reference(axes: Axes, mark: Mark) -> None:
    """A reference row: its point and a line through all rows, or an arrow to where it lies outside."""
    score = mark.system.score
    if score is None:
        return
    low, high = axes.get_xlim()
    if low <= score.mean <= high:
        draw_point(axes, point_of(mark.system, mark.height, score), mark.look, vertical=False)
        axes.axvline(
            score.mean, color=mark.look.colour, linestyle=DASHES[mark.system.method], linewidth=0.9, zorder=1.5
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
        color=text_colour(mark.look.colour),
        fontsize=SMALL_FONT_SIZE,
    )


def _draw_costs(axes: Axes, marks: Sequence[Mark], cost: Callable[[System], float | None]) -> None:
    for mark in marks:
        if mark.system.score and (value := cost(mark.system)):
            draw_point(axes, point_of(mark.system, mark.height, Interval(*[value] * 3)), mark.look, vertical=False)
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(3))


def _set_share_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _set_rows(panels: Sequence[Axes], rows: Sequence[str | list[System]], names: Sequence[str]) -> None:
    """Names at the left of the first panel, whose rows the others share."""
    for axes in panels:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for number in (number for number, row in enumerate(rows) if isinstance(row, list)):
            axes.axhline(number, color=FAINT, linewidth=0.6, zorder=0)
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    for number in (number for number, row in enumerate(rows) if isinstance(row, str)):
        panels[0].get_yticklabels()[number].set_weight("bold")
