"""An example of a figure that is no part of the package: quality against training time, for one setting.

It is drawn from `summary.csv`, as all figures are. To use it:

    modules: [workflow/examples/score_by_time.py]

    studies:
      times:
        figure: score_by_time
        models: [small]
        pairs: [pt-en]
        sizes: [n1600]
        methods: [full, adapter, lora]
        budgets: [b1, b10]
        seeds: [1, 2]

Snakemake reads this file whenever it reads the configuration, so it imports no matplotlib at its top.
"""

from mtpeft.figures.base import Figure, FigureData
from mtpeft.figures.plotting.panels import Drawing, draw_point, grid, nothing_yet, point_of
from mtpeft.figures.plotting.selection import in_setting, panel_name, settings_of
from mtpeft.figures.plotting.style import ONE_COLUMN, Style

SECONDS = "train_seconds"
"""A column of `summary.csv`."""


def draw(data: FigureData, styles: dict[str, Style]) -> Drawing:
    """Draw one point per method and budget, in the first setting that has any."""
    timed = [system for system in data.systems if system.score and SECONDS in system.costs]
    settings = settings_of(timed)
    if not settings:
        return nothing_yet()
    shown = in_setting(timed, settings[0])
    figure, (axes,) = grid(1, columns=1, width=ONE_COLUMN, row_height=2.4)
    for system in shown:
        draw_point(axes, point_of(system, system.costs[SECONDS], system.score), styles[system.method])
    axes.set(xlabel="training time (s)", ylabel=data.metric_name, title=panel_name(settings[0], settings[:1]))
    return Drawing(figure, legend=[styles[method] for method in dict.fromkeys(system.method for system in shown)])


SCORE_BY_TIME = Figure(
    name="score_by_time",
    question="How long must a method train for its quality?",
    caption="{metric} against the time of training, one point per method and budget.",
    draw=draw,
)
