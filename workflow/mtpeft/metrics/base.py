"""The type of a metric of translation quality, and the registry of all metrics.

A metric is one file: a module of this package, or a file from outside that the configuration names in `modules`. It
says which numbers it keeps of each sentence and how a corpus score follows from their sums, so that a resampled test
set costs one sum. Tables, figures and claims know metrics from the registry alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.core.registry import Registry, bring_in
from mtpeft.metrics.own_environment import OwnEnvironment

if TYPE_CHECKING:
    import numpy as np

DEFAULT_METRIC = "chrf"
"""The metric of dev scores and sanity checks and, where nothing else is named, of figures and claims."""
ALWAYS = (DEFAULT_METRIC, "bleu")
"""Metrics that `score` computes where the configuration does not name others."""


@dataclass(frozen=True)
class Measured:
    """The measurements of one metric on one test set.

    Attributes:
        statistics: one row of numbers for each sentence. Their sums decide the score.
        score: as the metric's own tool computes it; None: by `corpus_score` from the sums.
        signature: how the tool was set, so that the score can be reproduced.
    """

    statistics: Sequence[Sequence[float]]
    score: float | None = None
    signature: str = ""


Measure = Callable[[Sequence[str], Sequence[str], str], Measured]
"""From hypotheses, references and the BCP 47 tag of the target language."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of translation quality. Its functions import heavy packages (numpy, sacreBLEU) when they are called.

    Attributes:
        name: under which the configuration, records and tables have it.
        title: as figures and pages write it.
        margin: difference within which two systems count as on par, where the configuration names no other.
        corpus_score: corpus scores from summed statistics of sentences, for many test sets at once: from shape
            [..., statistics] to shape [...].
        measure: the step `score` calls it for each test set; None for a metric with an environment of its own.
        scale: range of its scores, in words.
        higher_is_better: whether a larger score is a better translation.
        digits: digits after the point of a difference on a page.
        digits_of_scores: digits after the point of a score in a table to read.
        environment: where it runs, if it needs packages that the workflow can't have. The step `score_with_metric` then
            computes it, where the configuration has a section of the metric's name.
        version: is raised by hand when the metric computes something else, and makes its scores stale.
        module: file that a metric from outside of the package comes from; empty for one of the package.
    """

    name: str
    title: str
    margin: float
    corpus_score: Callable[["np.ndarray"], "np.ndarray"]
    measure: Measure | None = None
    scale: str = "0 to 100"
    higher_is_better: bool = True
    digits: int = 2
    digits_of_scores: int = 1
    environment: OwnEnvironment | None = None
    version: int = 1
    module: str = ""

    @property
    def has_own_step(self) -> bool:
        """Whether it scores cells in a step of its own, which a section of the configuration asks for."""
        return self.environment is not None

    @property
    def sign(self) -> float:
        """The factor of a difference with which above 0 means better."""
        return 1.0 if self.higher_is_better else -1.0


METRICS: Registry[Metric] = Registry(Metric, "mtpeft.metrics", word="metric")


def own_environment_of(metric: Metric) -> OwnEnvironment:
    """The environment of a metric that has one of its own.

    Raises:
        UserError: the metric has none.
    """
    if metric.environment is None:
        raise UserError(f"'{metric.name}' has no environment of its own; the step 'score' computes it.")
    return metric.environment


def in_order(names: Iterable[str]) -> list[str]:
    """Names of metrics as tables have them: the default metric, the others of `score`, those with a step of their own.

    Metrics of one kind are in alphabetical order.
    """
    return sorted(names, key=lambda name: (name != DEFAULT_METRIC, METRICS[name].has_own_step, name))


def computed_metrics() -> list[str]:
    """Names of all metrics that the step `score` can compute."""
    return in_order(name for name, metric in METRICS.entries.items() if not metric.has_own_step)


def metrics_with_own_step() -> list[str]:
    """Names of all metrics that have a step of their own."""
    return in_order(name for name, metric in METRICS.entries.items() if metric.has_own_step)


def metric_params(names: Collection[str]) -> dict[str, Any]:
    """Params of steps that compute or read these metrics; nothing for `ALWAYS`, so that other metrics change nothing.

    `metrics` has an entry for each metric, with its `module` if it is from outside and its `version` above 1.
    """
    if set(names) == set(ALWAYS) and all(METRICS[name].version == 1 for name in names):
        return {}
    return {"metrics": {name: entry_params(METRICS[name]) for name in in_order(names)}}


def entry_params(metric: Metric) -> dict[str, Any]:
    """Params of one metric."""
    module = {"module": metric.module} if metric.module else {}
    return module | ({"version": metric.version} if metric.version != 1 else {})


def metrics_in(params: Mapping[str, Any]) -> list[str]:
    """Names of the computed metrics in the params of a step, in order; those from outside are brought in."""
    bring_in_metrics(params)
    return in_order(params.get("metrics", ALWAYS))


def metric_in(params: Mapping[str, Any]) -> Metric:
    """The one metric in the params of a step; one from outside is brought in."""
    bring_in_metrics(params)
    return METRICS[params["metric"]]


def bring_in_metrics(params: Mapping[str, Any]) -> None:
    """Add the metrics from outside that the params of a step name to the registry."""
    for entry in (*params.get("metrics", {}).values(), *params.get("metrics_with_own_step", {}).values()):
        if "module" in entry:
            bring_in(entry["module"])
