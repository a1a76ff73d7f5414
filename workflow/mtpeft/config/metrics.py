"""The keys of config.yaml about metrics: `metrics`, `metric`, `margin`, and sections of metrics with their own step.

Which names and sections there are follows from the registry of metrics, those from outside included.
"""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, create_model
from pydantic_core import PydanticKnownError

from mtpeft.core.entry_names import either, entry_name
from mtpeft.core.section import Section
from mtpeft.metrics.base import (
    DEFAULT_METRIC,
    METRICS,
    Metric,
    computed_metrics,
    entry_params,
    in_order,
    metric_params,
    metrics_in,
    metrics_with_own_step,
    own_environment_of,
)

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

LARGEST_MARGIN = 100
"""The scales of all metrics end there, or before."""
Difference = Annotated[float, Field(gt=0, le=LARGEST_MARGIN, strict=True)]


MetricName = entry_name(lambda: in_order(METRICS))
ComputedMetricName = entry_name(lambda: in_order(METRICS), listed=computed_metrics)


def _margin_of_each(margin: Any) -> Any:
    """A number as the margin of the default metric; what is wrong with it is said of `margin` itself."""
    if isinstance(margin, Mapping | BaseModel):
        return margin
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise PydanticKnownError("float_type")
    if not math.isfinite(margin):
        raise PydanticKnownError("finite_number")
    if margin <= 0:
        raise PydanticKnownError("greater_than", {"gt": 0})
    if margin > LARGEST_MARGIN:
        raise PydanticKnownError("less_than_equal", {"le": LARGEST_MARGIN})
    return {DEFAULT_METRIC: margin}


def _margin_field(metric: Metric) -> Any:
    return Difference, Field(default=metric.margin, description=f"Of {metric.title}, {metric.scale}.")


def metric_fields() -> dict[str, Any]:
    """Fields of the configuration that follow from the registry of metrics, as `create_model` takes them."""
    margins: Any = create_model(
        "Margins",
        __base__=Section,
        __doc__="Differences up to which two systems count as on par, on the scale of each metric.",
        **{name: _margin_field(METRICS[name]) for name in in_order(METRICS)},
    )
    sections = {
        name: (environment.section | None, Field(default=None, description=environment.section_help))
        for name in metrics_with_own_step()
        if (environment := METRICS[name].environment)
    }
    return sections | {
        "margin": (
            Annotated[margins, BeforeValidator(_margin_of_each, json_schema_input_type=float | margins)],
            Field(
                default=margins(),
                description="Difference within which two systems count as on par: of chrF, or one for each metric.",
            ),
        ),
    }


def metrics_of(configuration: "Configuration") -> list[str]:
    """Names of the metrics that the step `score` computes for every cell, in the order of tables."""
    return in_order(configuration.metrics)


def metrics_asked_for(configuration: "Configuration") -> list[str]:
    """Names of the metrics with a step of their own whose section is written."""
    return [name for name in metrics_with_own_step() if getattr(configuration, name) is not None]


@lru_cache(maxsize=4)
def metric_digests(configuration: "Configuration") -> Mapping[str, str]:
    """Digest of how each metric with a step of its own scores the cells; names of its record files bear it."""
    return {
        name: own_environment_of(METRICS[name]).digest(getattr(configuration, name))
        for name in metrics_asked_for(configuration)
    }


def params_of_metrics(configuration: "Configuration") -> dict[str, Any]:
    """Params of the steps that compute or read metrics; nothing where they are the usual ones."""
    return metric_params(configuration.metrics)


def params_of_scores(configuration: "Configuration") -> dict[str, Any]:
    """Params of the steps that read the scores of all metrics.

    `metrics_with_own_step` has an entry for each of them that is asked for and from outside.
    """
    outside = {name: entry_params(METRICS[name]) for name in metrics_asked_for(configuration) if METRICS[name].module}
    return params_of_metrics(configuration) | ({"metrics_with_own_step": outside} if outside else {})


def params_of_metric(name: str) -> dict[str, Any]:
    """Params of a step that reads one metric: nothing for the default metric."""
    if name == DEFAULT_METRIC:
        return {}
    entry = entry_params(METRICS[name])
    return {"metric": name} | ({"metrics": {name: entry}} if entry else {})


def margin_params(configuration: "Configuration") -> float | dict[str, float]:
    """Margins in short, as params have them: a number where those of the other metrics are the defaults."""
    names = [*metrics_of(configuration), *metrics_with_own_step()]
    margins = {name: getattr(configuration.margin, name) for name in names}
    given = {name for name, margin in margins.items() if margin != METRICS[name].margin}
    return margins[DEFAULT_METRIC] if given <= {DEFAULT_METRIC} else margins


def margins_in(params: Mapping[str, Any]) -> dict[str, float]:
    """The margin of each metric that the params of the findings know."""
    names = [*metrics_in(params), *metrics_with_own_step()]
    given = params["margin"] if isinstance(params["margin"], Mapping) else {DEFAULT_METRIC: params["margin"]}
    return {name: METRICS[name].margin for name in names} | dict(given)


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Sentences on what is wrong with `metrics` and with the sections of metrics that have a step of their own."""
    if DEFAULT_METRIC not in configuration.metrics:
        yield f"'metrics' lacks '{DEFAULT_METRIC}', by which cells are compared before all else; add it."
    for name in configuration.metrics:
        if METRICS[name].has_own_step:
            yield f"'metrics' names '{name}', which has a step of its own; take it out, and write the section '{name}'."
    for name in metrics_asked_for(configuration):
        yield from own_environment_of(METRICS[name]).mistakes(getattr(configuration, name))


def metric_mistakes(configuration: "Configuration", key: str, metric: str) -> Iterator[str]:
    """A sentence on a metric that no cell would be scored with."""
    has_own_step = METRICS[metric].has_own_step
    instead = f"or write {either(metrics_of(configuration))}, which every cell has"
    if has_own_step and getattr(configuration, metric) is None:
        yield f"'{key}' is '{metric}', but '{metric}' names no model; name one there, {instead}."
    if not has_own_step and metric not in configuration.metrics:
        yield f"'{key}' is '{metric}', but 'metrics' does not list it; add it there, {instead}."
