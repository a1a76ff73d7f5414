"""Install a metric into an environment of its own, since it needs other versions than the workflow."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import metrics
from mtpeft.metrics import own_environment
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def record(metric: str) -> str:
    """The record of a metric's environment."""
    return own_environment.environment_record(metric)


def params(configuration: "Configuration", metric: str) -> Params:
    """Params of the installation: the pins."""
    pins = metrics.own_environment_of(metrics.METRICS[metric]).requirements
    return metrics.params_of_metric(metric) | {"requirements": list(pins)}


def run(params: Params, *, record: Path) -> None:
    """Install a metric beside the workflow."""
    from mtpeft.metrics.base import metric_in
    from mtpeft.metrics.environment import install_metric

    install_metric(metric_in(params), params, record=record)


STEP = Step("install_metric", 1, ("metric",), params, run)
