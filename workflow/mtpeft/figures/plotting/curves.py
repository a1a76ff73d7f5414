"""Draw what happened in trainings: dev scores and losses of cells, and of a search for a learning rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtpeft.figures.plotting.panels import grid, set_ticks
from mtpeft.figures.plotting.style import GREY, ONE_COLUMN, TWO_COLUMNS, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", "--", ":", "-.")
LEGEND_CHARACTERS = 54
"""Characters that a row of a legend has room for in one column, the samples of lines included."""
SMALL_POINTS = {"marker": "o", "markersize": 2.2}
CHOSEN_COLOUR = "#000000"
LIGHTEST, DARKEST = 0.15, 0.85
"""Part of the map of colours that learning rates have, from the lowest to the highest."""


@dataclass(frozen=True)
class Curve:
    """The course of one training.

    Attributes:
        name: of the legend.
        updates: after which the dev set was evaluated.
        scores: on the dev set.
        losses: mean loss per target token since the evaluation before; None where it is not known.
        kept: update whose weights were kept.
        diverged: whether the training was given up.
    """

    name: str
    updates: Sequence[int]
    scores: Sequence[float]
    losses: Sequence[float | None]
    kept: int
    diverged: bool = False

    @property
    def best(self) -> float | None:
        """The best score after an update, by which a search chooses; all rates share that of update 0."""
        return max((score for x, score in zip(self.updates, self.scores, strict=True) if x > 0), default=None)


@dataclass(frozen=True)
class Trial:
    """The trainings with one learning rate: their courses, and the mean of their best dev scores if none diverged."""

    rate: float
    curves: Sequence[Curve]
    mean: float | None
    chosen: bool


def draw_courses(curves: Sequence[tuple[Curve, Style]]) -> "Figure":
    """Draw dev scores above and losses below, one line for each cell; cells of one method differ in their dashes."""
    has_losses = any(loss is not None for curve, _ in curves for loss in curve.losses)
    figure, panels = grid(2 if has_losses else 1, columns=1, width=ONE_COLUMN, row_height=1.9)
    seen: dict[str, int] = {}
    for curve, style in curves:
        dashes = DASHES[seen.setdefault(style.name, 0) % len(DASHES)]
        seen[style.name] += 1
        draw_course(panels[0], curve, colour=style.colour, dashes=dashes)
        known = [(x, loss) for x, loss in zip(curve.updates, curve.losses, strict=True) if loss is not None]
        if known:
            panels[1].plot(*zip(*known, strict=True), color=style.colour, linestyle=dashes, **SMALL_POINTS)
    panels[0].set(ylabel="dev chrF")
    if has_losses:
        panels[1].set(ylabel="loss per token")
        panels[1].sharex(panels[0])
    panels[-1].set(xlabel="update")
    columns = max(1, LEGEND_CHARACTERS // max(len(curve.name) + 6 for curve, _ in curves))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=columns)
    return figure


def draw_course(axes: "Axes", curve: Curve, *, colour: object, dashes: str = "-") -> None:
    """Draw the dev scores of a training, with a ring around the one whose weights were kept."""
    label = f"{curve.name} (diverged)" if curve.diverged else curve.name
    axes.plot(curve.updates, curve.scores, color=colour, linestyle=dashes, label=label, **SMALL_POINTS)
    kept = [(x, score) for x, score in zip(curve.updates, curve.scores, strict=True) if x == curve.kept]
    for x, score in kept:
        axes.plot(
            x,
            score,
            marker="o",
            markersize=6,
            markerfacecolor="none",
            markeredgecolor=colour,
            linestyle="",
            clip_on=False,
        )


def draw_search(title: str, trials: Sequence[Trial]) -> "Figure":
    """Draw the dev scores of all trials on the left, and the best of each by its learning rate on the right."""
    import matplotlib

    figure, (courses, rates) = grid(2, columns=2, width=TWO_COLUMNS, row_height=2.4)
    shades = matplotlib.colormaps["viridis"].reversed()
    step = (DARKEST - LIGHTEST) / max(1, len(trials) - 1)
    for position, trial in enumerate(trials):
        colour = shades(LIGHTEST + step * position)
        for number, curve in enumerate(trial.curves):
            draw_course(courses, curve, colour=colour, dashes=DASHES[number % len(DASHES)])
        best = [curve.best for curve in trial.curves if curve.best is not None and not curve.diverged]
        rates.plot([trial.rate] * len(best), best, "o", color=colour, markersize=3.5, zorder=3)
    means = [(trial.rate, trial.mean) for trial in trials if trial.mean is not None]
    if means:
        rates.plot(*zip(*means, strict=True), color=GREY, linewidth=0.9)
    for trial in trials:
        if trial.chosen and trial.mean is not None:
            rates.plot(trial.rate, trial.mean, "o", markersize=9, markerfacecolor="none", markeredgecolor=CHOSEN_COLOUR)
    lost = [trial for trial in trials if trial.mean is None]
    for trial in lost:
        rates.plot(trial.rate, 0.03, "x", color=CHOSEN_COLOUR, transform=rates.get_xaxis_transform(), clip_on=False)
    rates.set(xscale="log", xlabel="learning rate", ylabel="best dev chrF", title="best score, the chosen rate ringed")
    rates.set_xticks([trial.rate for trial in trials], labels=[f"{trial.rate:g}" for trial in trials])
    rates.xaxis.minorticks_off()
    courses.set(xlabel="update", ylabel="dev chrF", title=title)
    set_ticks(courses.xaxis, 5)
    figure.legend(*_once(courses), loc="outside lower left", ncols=min(len(trials), 8), title="learning rate")
    return figure


def _once(axes: "Axes") -> tuple[list[object], list[str]]:
    """Return the handles and labels of a legend without those that repeat a label."""
    handles, labels = axes.get_legend_handles_labels()
    first = {label: handle for handle, label in reversed(list(zip(handles, labels, strict=True)))}
    return [first[label] for label in dict.fromkeys(labels)], list(dict.fromkeys(labels))
