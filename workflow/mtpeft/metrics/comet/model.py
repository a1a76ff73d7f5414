"""Take in the model that scores: fetched or where it lies, with its encoder where COMET finds it, and all hashes."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of, write_record
from mtpeft.metrics.comet.environment import ask_for_scores
from mtpeft.metrics.comet.files import (
    CHECKPOINT,
    ENCODER_FILES,
    HYPERPARAMETERS,
    check_encoder,
    encoder_files,
    encoder_of,
    hyperparameters_of,
)
from mtpeft.models.hub import fetch_files, matching

ENCODERS = "encoders"
"""Folder beside the record in which COMET works: it takes a folder there for the model of the hub that is named so."""
FETCHED = "hub"


def take_in_model(settings: Mapping[str, Any], *, environment: Path, record: Path) -> None:
    """Write the record of a model: where its parts lie, the commits that they were fetched from, and their hashes.

    It is loaded once, so that one job tells of one that can't be, and not every cell.

    Args:
        settings: `model` and `encoder`, each with `path`, or with `hub` as `owner/name@revision`.
        environment: record of COMET's environment, in its folder.
        record: where the record goes.

    Raises:
        UserError: a part is missing, is not what it should be, or could not be fetched, or COMET does not start.
        TryAgainError: there was too little memory.
    """
    model, encoder = settings["model"], settings.get("encoder")
    commits = {}
    if "hub" in model:
        folder = _fetched(record, model["hub"])
        commits["model"] = fetch_files(model["hub"], _model_files, folder, key="comet.hub")
        checkpoint, key = folder / CHECKPOINT, "comet.hub"
    else:
        checkpoint, key = Path(model["path"]), "comet.path"
    name = encoder_of(checkpoint, key=key)
    check_encoder(name, given=encoder is not None)
    if encoder and "hub" in encoder:
        built_on = _fetched(record, encoder["hub"])
        commits["encoder"] = fetch_files(encoder["hub"], _encoder_files, built_on, key="comet.encoder.hub")
    else:
        built_on = Path(encoder["path"] if encoder else name)
    place = record.parent / ENCODERS
    _put(built_on, place, name)
    files = [checkpoint, hyperparameters_of(checkpoint), *encoder_files(built_on)]
    content = {
        "settings": dict(settings),
        "checkpoint": str(checkpoint),
        "encoders": str(place),
        "commits": commits,
        "sha256": {str(file): sha256_of(file) for file in files},
    }
    # The process that keeps the model loaded finds it by the record.
    write_record(record, content)
    try:
        ask_for_scores(environment.parent, content, {}, batch_size=1, threads=1)
    except BaseException:
        record.unlink()
        raise


def _fetched(record: Path, hub: str) -> Path:
    """Where files of a revision go: revisions don't mix."""
    return record.parent / FETCHED / hub.replace("/", "--")


def _model_files(names: Sequence[str]) -> list[str]:
    wanted = [CHECKPOINT, HYPERPARAMETERS]
    if not set(wanted) <= set(names):
        raise UserError(
            f"'comet.hub' names a model without {' and '.join(wanted)}, which COMET's models have; name one of these."
        )
    return wanted


def _encoder_files(names: Sequence[str]) -> list[str]:
    wanted = matching(names, ENCODER_FILES)
    if "config.json" not in wanted:
        raise UserError(
            "'comet.encoder.hub' names a model without config.json; name what the COMET model was built on."
        )
    return wanted


def _put(folder: Path, place: Path, name: str) -> None:
    """Make a folder known under the name of an encoder, and no other one; that with a whole path is found without."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if not Path(name).is_absolute():
        link = place / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder if folder.is_absolute() else os.path.relpath(folder, link.parent))
