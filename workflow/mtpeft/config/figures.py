"""The registry of figures, as the configuration knows them: their names, and what each needs of a study.

The configuration stands below the figures. It reads them from the registry, which imports their files when it is asked
for the first time, so that no module of `config` imports one. `mtpeft.figures.base.Figure` adds to this type what
draws the figure; files of figures import matplotlib inside of functions alone, since every job reads the configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.core.entry_names import entry_name
from mtpeft.core.registry import Registry

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

EFFICIENCY = "efficiency"
"""The figure that is drawn from the cells of all studies; no study may be drawn as it or have its name."""
OTHERS_TABLE = "others"
"""The table of systems on other pairs (`also_score`) than those that they were fine-tuned on."""
TEXT_TABLE = "text"
"""The table that describes the test sentences as the models read them; it is one for all studies."""
REPRESENTATIONS_TABLE = "representations"
"""The table of the effective ranks of layers."""
SERVING_TABLE = "serving"
"""The table of systems that were decoded with some of their experts."""


def no_params(configuration: "Configuration", study: str) -> Mapping[str, Any]:
    """Return the params that a figure has besides those of all figures: none."""
    return {}


@dataclass(frozen=True, kw_only=True)
class ConfiguredFigure:
    """The part of a figure that the configuration reads.

    Attributes:
        name: the word under `figure` by which a study asks for it.
        shows: scores, differences between scores, or measurements of another kind. Intervals of the first two are 95 %
            intervals over sentences and seeds; those of measurements reach from the lowest seed to the highest.
        needs: names of the tables that it is drawn from besides `summary.csv`, such as `others` for `others.csv`.
        version: is raised by hand when the figure is drawn in another way, and makes its files stale.
        params: params of the step that only this figure has, given the configuration and the label of the study.
        module: file that a figure from outside of the package comes from; empty for one of the package.
    """

    name: str
    shows: Literal["scores", "differences", "measurements"] = "scores"
    needs: tuple[str, ...] = ()
    version: int = 1
    params: Callable[["Configuration", str], Mapping[str, Any]] = no_params
    module: str = ""


FIGURES: Registry[ConfiguredFigure] = Registry(
    ConfiguredFigure, "mtpeft.figures", word="figure", skipped=("base", "draw", "plotting")
)


def study_figures() -> list[str]:
    """Return the names of the figures that a study can be drawn as."""
    return [name for name in FIGURES if name != EFFICIENCY]


FigureName = entry_name(study_figures)
"""Name of a figure that a study can be drawn as."""


def figure_of(configuration: "Configuration", label: str) -> ConfiguredFigure | None:
    """Return the figure of a study, or of all studies where `label` is `efficiency`; None where there is no such."""
    study = configuration.studies.get(label)
    return FIGURES.entries.get((study.figure if study else None) or label)


def needs_table(configuration: "Configuration", label: str, table: str) -> bool:
    """Return whether the figure of a study is drawn from this table besides the summary."""
    figure = figure_of(configuration, label)
    return figure is not None and table in figure.needs
