"""Take in the model that a metric scores with: `data/metrics/models/<metric>-<digest>/model.json`, with hashes."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import metrics
from mtpeft.core.errors import UserError
from mtpeft.metrics import own_environment
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.core.section import Section
    from mtpeft.metrics.own_environment import OwnEnvironment


def asked(configuration: "Configuration", metric: str) -> "tuple[OwnEnvironment, Section]":
    """The environment of a metric, and the section of the configuration that asks for it.

    Raises:
        UserError: there is none.
    """
    section = getattr(configuration, metric)
    if section is None:
        raise UserError(f"'{metric}' is missing; write this section, which says what the metric scores with.")
    return metrics.own_environment_of(metrics.METRICS[metric]), section


def model_names(configuration: "Configuration") -> list[str]:
    """Names of the folders of the models of all metrics that are asked for."""
    return [
        own_environment.model_name(metric, *asked(configuration, metric))
        for metric in metrics.metrics_asked_for(configuration)
    ]


def model_record(configuration: "Configuration", metric: str) -> str:
    """The record of the model that a metric scores with."""
    return own_environment.model_record(metric, *asked(configuration, metric))


def params(configuration: "Configuration", metric: str) -> Params:
    """Params of the model, which is loaded in the environment."""
    environment, section = asked(configuration, metric)
    pins = {environment.package: environment.version, "pins": environment.pins_digest}
    return metrics.params_of_metric(metric) | pins | environment.model_params(section)


def inputs(configuration: "Configuration", metric: str) -> Inputs:
    """The user's own files that the model is made of: when they change, so do its scores."""
    environment, section = asked(configuration, metric)
    return {"files": list(map(str, environment.model_files(section)))}


def run(params: Params, *, environment: Path, record: Path) -> None:
    """Take in the model that a metric scores with: fetched or where it lies."""
    from mtpeft.metrics.base import metric_in
    from mtpeft.metrics.model import take_in_model

    take_in_model(metric_in(params), params, environment=environment, record=record)


STEP = Step("take_in_metric", 1, ("metric",), params, run, inputs, record="data/metrics/models/{metric}/model.json")
