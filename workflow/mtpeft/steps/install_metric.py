"""Install a metric into an environment of its own, since it needs packages that the workflow can't have."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import metrics
from mtpeft.metrics import own_environment
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def names(configuration: "Configuration") -> list[str]:
    """Names of the folders of the environments of all metrics that are asked for."""
    return [
        own_environment.environment_name(metric, metrics.own_environment_of(metrics.METRICS[metric]))
        for metric in metrics.metrics_asked_for(configuration)
    ]


def record(metric: str) -> str:
    """The record of a metric's environment."""
    return own_environment.environment_record(metric, metrics.own_environment_of(metrics.METRICS[metric]))


def params(configuration: "Configuration", metric: str) -> Params:
    """Params of the installation: the pins. What else the metric says of itself does not matter."""
    entry = metrics.METRICS[metric]
    module = {"metrics": {metric: {"module": entry.module}}} if entry.module else {}
    return {"metric": metric, "requirements": list(metrics.own_environment_of(entry).requirements), **module}


def run(params: Params, *, record: Path) -> None:
    """Install a metric beside the workflow."""
    from mtpeft.metrics.base import metric_in
    from mtpeft.metrics.environment import install_metric

    install_metric(metric_in(params), params, record=record)


STEP = Step("install_metric", 1, ("metric",), params, run)
