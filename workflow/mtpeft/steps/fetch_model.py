"""Fetch one revision of a base model from a hub, into a folder beside its record."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import model_shapes
from mtpeft.steps.base_models import BASE_RECORD, comes_from
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", model: str) -> Params:
    """Params of a model that is fetched from a hub."""
    return model_shapes.fetched_params(configuration, model)


def run(params: Params, *, record: Path) -> None:
    """Fetch one revision of a model from a hub, going on where a break left it."""
    from mtpeft.models.hub import fetch_model

    fetch_model(params, record=record)


STEP = Step("fetch_model", 1, ("model",), params, run, record=BASE_RECORD, makes_it=comes_from("hub"))
