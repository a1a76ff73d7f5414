"""What the steps that score with COMET are told, and which files they make; nothing where `comet` is not written."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell, name_of
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.digests import digest_of
from mtpeft.config.metrics import metric_digests
from mtpeft.config.paths import Wildcards, cell_files
from mtpeft.config.recipes import RECIPES
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import findings_settings
from mtpeft.config.studies import all_cells, drawn_cells
from mtpeft.core.errors import UserError
from mtpeft.core.project import found_path
from mtpeft.isolated.pins import pins_of
from mtpeft.metrics.comet.metric import Comet, model_params, score_params
from mtpeft.metrics.comet.model import encoder_files, encoder_of, hyperparameters_of

ENVIRONMENT = "data/comet/environment/installed.json"
Settings = dict[str, Any]


def install_comet_settings(configuration: Configuration) -> Settings:
    """Settings of the installation of COMET."""
    return {"recipe": RECIPES["install_comet"], "requirements": pins_of("comet")}


def comet_model_settings(configuration: Configuration) -> Settings:
    """Settings of the taking in of the model."""
    return {"recipe": RECIPES["comet_model"]} | model_params(wanted(configuration))


def comet_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the scoring of any cell with COMET; the model is an input file."""
    return {"recipe": RECIPES["comet"]} | score_params(wanted(configuration))


def model_record(configuration: Configuration) -> str:
    """The record of the model that scores, if any does."""
    digest = digest_of(model_params(configuration.comet)) if configuration.comet else ""
    return f"data/comet/{name_of('model', digest)}/model.json"


def cell_record(configuration: Configuration) -> str:
    """Name of the file with the scores of a cell."""
    return f"{name_of('comet', metric_digests(configuration).get('comet', ''))}.json"


def wanted(configuration: Configuration) -> Comet:
    """The section of COMET.

    Raises:
        UserError: there is none.
    """
    if configuration.comet is None:
        raise UserError(
            "'comet' is missing; write with which model to score, such as comet: {path: model/checkpoints/x.ckpt}."
        )
    return configuration.comet


def model_files(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Files of the user's own that the model is made of: when they change, so do its scores."""
    comet = wanted(configuration)
    checkpoint = found_path(comet.path) if comet.path else None
    files = [checkpoint, hyperparameters_of(checkpoint)] if checkpoint else []
    if comet.encoder and comet.encoder.path:
        files += encoder_files(found_path(comet.encoder.path))
    elif checkpoint and not comet.encoder:
        files += encoder_files(Path(encoder_of(checkpoint, key="comet.path")))
    return list(map(str, files))


def all_comet_records(configuration: Configuration) -> list[str]:
    """Records of all cells."""
    return _records(configuration, all_cells(configuration))


def study_comet_records(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Records of the cells that the study in the wildcards is drawn from."""
    return _records(configuration, drawn_cells(configuration, wildcards["study"]))


def claim_comet_records(configuration: Configuration) -> list[str]:
    """Records of the cells that the findings are tested on."""
    return _records(configuration, claim_cells(findings_settings(configuration))) if configuration.comet else []


def _records(configuration: Configuration, cells: Iterable[Cell]) -> list[str]:
    return cell_files(cells, cell_record(configuration)) if configuration.comet else []
