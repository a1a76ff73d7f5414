"""Take in the model of COMET that scores: `data/comet/model-<digest>/model.json`, with hashes of its files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import digest_of, name_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import found_path
from mtpeft.isolated import install
from mtpeft.metrics.comet import files as comet_files
from mtpeft.steps.install_comet import RECORD as ENVIRONMENT
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.comet_section import Comet, Encoder
    from mtpeft.config.schema import Configuration

PACKAGE = "unbabel-comet"


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
    comet = asked(configuration)
    encoder = {"encoder": _source(comet.encoder)} if comet.encoder else {}
    return {"model": _source(comet), **encoder}


def _source(given: "Comet | Encoder") -> dict[str, str]:
    return {"hub": given.hub} if given.hub else {"path": str(found_path(str(given.path)))}


def score_params(configuration: "Configuration") -> Params:
    """Params of the scoring of any cell with COMET; the model is an input file."""
    comet = asked(configuration)
    version = install.pinned_version("comet", PACKAGE)
    return {PACKAGE: version, "batch_size": comet.batch_size, "threads": comet.threads}


def comet_digest(configuration: "Configuration") -> str:
    """Digest of how COMET scores, empty where it does not."""
    return "" if configuration.comet is None else digest_of(score_params(configuration), _model_digest(configuration))


def _model_digest(configuration: "Configuration") -> str:
    return digest_of(params(configuration)) if configuration.comet else ""


def model_record(configuration: "Configuration") -> str:
    """The record of the model that scores, if any does."""
    return f"data/comet/{name_of('model', _model_digest(configuration))}/model.json"


def cell_record(configuration: "Configuration") -> str:
    """Name of the file with the scores of a cell."""
    return f"{name_of('comet', comet_digest(configuration))}.json"


def inputs(configuration: "Configuration") -> Inputs:
    """The environment, and the user's own files that the model is made of: when they change, so do its scores."""
    comet = asked(configuration)
    checkpoint = found_path(comet.path) if comet.path else None
    files = [checkpoint, comet_files.hyperparameters_of(checkpoint)] if checkpoint else []
    if comet.encoder and comet.encoder.path:
        files += comet_files.encoder_files(found_path(comet.encoder.path))
    elif checkpoint and not comet.encoder:
        files += comet_files.encoder_files(Path(comet_files.encoder_of(checkpoint, key="comet.path")))
    return {"environment": ENVIRONMENT, "files": list(map(str, files))}


def run(params: Params, *, environment: Path, record: Path) -> None:
    """Take in the model that COMET scores with: fetched or where it lies."""
    from mtpeft.metrics.comet.model import take_in_model

    take_in_model(params, environment=environment, record=record)


STEP = Step("take_in_comet", 1, (), params, run, inputs, record="data/comet/{comet}/model.json")
