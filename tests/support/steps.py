"""Params and inputs of the jobs of a step, as the workflow has them."""

from typing import Any

from mtpeft.cells import DIMENSIONS, RATE_LABELS, Cell
from mtpeft.config.schema import Configuration
from mtpeft.steps.step import STEPS, Inputs, Params

BASE_STEPS = ("pretrain", "fetch_model", "extend_model", "trim_model", "drop_layers", "prune_model", "take_in_model")


def labels_of(step: str, *given: Any) -> dict[str, str]:
    """Labels of a job, given one after another or as a cell."""
    if len(given) == 1 and isinstance(given[0], Cell):
        return given[0].named
    return dict(zip(STEPS[step].of, given, strict=True))


def params_of(step: str, configuration: Configuration, *given: Any) -> Params:
    return STEPS[step].params_of(configuration, labels_of(step, *given))


def inputs_of(step: str, configuration: Configuration, *given: Any) -> Inputs:
    return STEPS[step].inputs_of(configuration, labels_of(step, *given))


def base_params(configuration: Configuration, model: str) -> Params:
    labels = {"model": model}
    step = next(STEPS[name] for name in BASE_STEPS if STEPS[name].makes_it(configuration, labels))
    return step.params_of(configuration, labels)


def train_inputs(configuration: Configuration, labels: dict[str, str]) -> Inputs:
    return STEPS["train"].inputs_of(configuration, {name: labels[name] for name in DIMENSIONS})


def rate_search_inputs(configuration: Configuration, labels: dict[str, str]) -> Inputs:
    return STEPS["search_rate"].inputs_of(configuration, {name: labels[name] for name in RATE_LABELS})


def other_splits(configuration: Configuration, labels: dict[str, str]) -> list[str]:
    """Splits and test sets of others from which a pair's text is kept apart."""
    return list(inputs_of("decontaminate_pair", configuration, labels["pair"])["others"])
