"""Define what a figure is: a question, a caption, the tables that it needs, and the function that draws it.

Each module of `mtpeft.figures` holds one figure; the registry `FIGURES` finds it there. A file that the configuration
names under `modules` adds one from outside of the package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.analysis.read_tables import System
from mtpeft.config.figures import ConfiguredFigure
from mtpeft.figures.plotting.panels import Drawing
from mtpeft.figures.plotting.style import Style
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

INTERVALS_OF_SCORES = (
    "Intervals are those of single scores, mostly by the choice of test sentences, which all systems share: two "
    "systems may differ for sure where their bars overlap. Differences have their own intervals in the tables."
)


@dataclass(frozen=True)
class FigureData:
    """The tables and params that a figure is drawn from.

    Attributes:
        systems: rows of the summary.
        metric: name of the metric that their scores are in.
        languages: language code of the side of each pair that is not English.
        models: labels of base models in the order in which they are drawn.
        also_score: labels of the other pairs in the order in which they are drawn.
        params: all params of the step, those that the figure added itself among them, as plain JSON.
        files: paths of the tables that the figure needs besides the summary, by their names.
    """

    systems: tuple[System, ...]
    metric: str = DEFAULT_METRIC
    languages: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    also_score: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def metric_name(self) -> str:
        """Return the metric as an axis has it, such as chrF."""
        return METRICS[self.metric].title


@dataclass(frozen=True, kw_only=True)
class Figure(ConfiguredFigure):
    """A figure: what the configuration reads of it, and how it is drawn.

    Attributes:
        question: what the figure answers, as a title.
        caption: text for the report in reStructuredText; `{metric}` stands for the name of the metric.
        draw: draws it, given the data and the style of each method. It runs inside of `figure_style`.
    """

    question: str
    caption: str
    draw: Callable[[FigureData, dict[str, Style]], Drawing]

    def report_text(self, metric: str) -> str:
        """Return question and caption as the report shows them, for a study that shows this metric."""
        intervals = f" {INTERVALS_OF_SCORES}" if self.shows == "scores" else ""
        return f"**{self.question}** {self.caption.format(metric=METRICS[metric].title)}{intervals}"
