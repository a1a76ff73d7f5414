"""Take in the model of COMET that scores: `data/comet/model-<digest>/model.json`, with hashes of its files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import name_of
from mtpeft.config import metrics
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.metrics.comet import metric, model
from mtpeft.steps.install_comet import RECORD as ENVIRONMENT
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.metrics.comet.metric import Comet


def asked(configuration: "Configuration") -> "Comet":
    """The section `comet` of the configuration.

    Raises:
        UserError: there is none.
    """
    if configuration.comet is None:
        raise UserError(
            "'comet' is missing; write with which model to score, such as comet: {path: model/checkpoints/x.ckpt}."
        )
    return configuration.comet


def params(configuration: "Configuration") -> Params:
    """Params of the model and of its encoder."""
    return metric.model_params(asked(configuration))


def model_record(configuration: "Configuration") -> str:
    """The record of the model that scores, if any does."""
    return metric.model_record_of(configuration.comet) if configuration.comet else "data/comet/model/model.json"


def cell_record(configuration: "Configuration") -> str:
    """Name of the file with the scores of a cell."""
    return f"{name_of('comet', metrics.metric_digests(configuration).get('comet', ''))}.json"


def inputs(configuration: "Configuration") -> Inputs:
    """The environment, and the user's own files that the model is made of: when they change, so do its scores."""
    comet = asked(configuration)
    checkpoint = found_path(comet.path) if comet.path else None
    files = [checkpoint, model.hyperparameters_of(checkpoint)] if checkpoint else []
    if comet.encoder and comet.encoder.path:
        files += model.encoder_files(found_path(comet.encoder.path))
    elif checkpoint and not comet.encoder:
        files += model.encoder_files(Path(model.encoder_of(checkpoint, key="comet.path")))
    return {"environment": ENVIRONMENT, "files": list(map(str, files))}


def run(params: Params, *, environment: Path, record: Path) -> None:
    """Take in the model that COMET scores with: fetched or where it lies."""
    from mtpeft.metrics.comet.model import take_in_model

    take_in_model(params, environment=environment, record=record)


STEP = Step("take_in_comet", 1, (), params, run, inputs, record="data/comet/{comet}/model.json")
