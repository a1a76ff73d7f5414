"""Find or fetch the model of COMET that scores, and put its encoder where COMET looks for it.

A model is a checkpoint, hparams.yaml beside its folder, and the encoder that this names.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtpeft.core.errors import UserError
from mtpeft.metrics.own_environment import MetricModel
from mtpeft.models.tokenizer import TOKENIZER_FILES

CHECKPOINT = "checkpoints/model.ckpt"
"""Place of the checkpoint in the folder of a published model."""
HYPERPARAMETERS = "hparams.yaml"
ENCODER_FILES = ("config.json", *TOKENIZER_FILES)
CLASS, ENCODER = "class_identifier", "pretrained_model"
ENCODER_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
ENCODERS = "encoders"
"""Folder in which COMET works: it takes a folder there for the model of the hub that is named so."""
FETCHED = "hub"


def find_model(params: Mapping[str, Any], folder: Path) -> MetricModel:
    """Find or fetch a model and its encoder.

    Args:
        params: `model` and `encoder`, each with `path`, or with `hub` as `owner/name@revision`.
        folder: for what is fetched, and for the encoder under the name that COMET looks for.

    Raises:
        UserError: a part is missing or wrong, or could not be fetched.
    """
    from mtpeft.models.hub import fetch_files

    model, encoder = params["model"], params.get("encoder")
    commits = {}
    if "hub" in model:
        fetched = _fetched(folder, model["hub"])
        commits["model"] = fetch_files(model["hub"], _model_files, fetched, key="comet.hub")
        checkpoint, key = fetched / CHECKPOINT, "comet.hub"
    else:
        checkpoint, key = Path(model["path"]), "comet.path"
    name = encoder_of(checkpoint, key=key)
    check_encoder(name, given=encoder is not None)
    if encoder and "hub" in encoder:
        built_on = _fetched(folder, encoder["hub"])
        commits["encoder"] = fetch_files(encoder["hub"], _encoder_files, built_on, key="comet.encoder.hub")
    else:
        built_on = Path(encoder["path"] if encoder else name)
    place = folder / ENCODERS
    _put(built_on, place, name)
    return MetricModel(
        name=next(iter(model.values())),
        files=(checkpoint, hyperparameters_of(checkpoint), *encoder_files(built_on)),
        places={"checkpoint": str(checkpoint), "encoders": str(place)},
        commits=commits,
    )


def _fetched(folder: Path, hub: str) -> Path:
    """Folder of the files of a revision."""
    return folder / FETCHED / hub.replace("/", "--")


def _model_files(names: Sequence[str]) -> list[str]:
    wanted = [CHECKPOINT, HYPERPARAMETERS]
    if not set(wanted) <= set(names):
        raise UserError(
            f"'comet.hub' names a model without {' and '.join(wanted)}, which COMET's models have; name one of these."
        )
    return wanted


def _encoder_files(names: Sequence[str]) -> list[str]:
    from mtpeft.models.hub import matching

    wanted = matching(names, ENCODER_FILES)
    if "config.json" not in wanted:
        raise UserError(
            "'comet.encoder.hub' names a model without config.json; name what the COMET model was built on."
        )
    return wanted


def _put(folder: Path, place: Path, name: str) -> None:
    """Link the folder of an encoder under its name; COMET finds one with an absolute path without a link."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if not Path(name).is_absolute():
        link = place / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder if folder.is_absolute() else os.path.relpath(folder, link.parent))


def hyperparameters_of(checkpoint: Path) -> Path:
    """The file in which COMET looks for the hyperparameters of a checkpoint."""
    return Path(os.path.normpath(checkpoint.parent / "..")) / HYPERPARAMETERS


def encoder_of(checkpoint: Path, *, key: str) -> str:
    """The encoder that a model was built on: a folder, or a name of the hub.

    Raises:
        UserError: it is no model of COMET; names the `key` of the configuration.
    """
    if not checkpoint.is_file():
        raise UserError(
            f"'{key}' is '{checkpoint}', but there is no such file; write the path of a checkpoint, such as "
            f"model/{CHECKPOINT}."
        )
    file = hyperparameters_of(checkpoint)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        content = None
    if not isinstance(content, dict) or not {CLASS, ENCODER} <= set(content):
        raise UserError(
            f"'{key}' is '{checkpoint}', but {file} is not what COMET saves beside it, with '{CLASS}' and '{ENCODER}'; "
            "put both files there as they were."
        )
    return str(content[ENCODER])


def encoder_files(folder: Path) -> list[Path]:
    """The files of an encoder that COMET reads besides a checkpoint: configuration and tokenizer."""
    from mtpeft.models.hub import matching

    names = matching((file.name for file in folder.iterdir()), ENCODER_FILES)
    return [folder / name for name in names]


def check_encoder(name: str, *, given: bool) -> None:
    """See that there is an encoder, and only one, for a model that was built on `name`.

    Raises:
        UserError: the configuration must name one, or must not.
    """
    if not Path(name).is_absolute() and not ENCODER_NAME.fullmatch(name):
        raise UserError(f"The COMET model was built on '{name}', which is neither a whole path nor a name of the hub.")
    if not Path(name).is_absolute() and not given:
        raise UserError(
            f"'comet.encoder' is missing: the model was built on '{name}', and its checkpoint does not hold the "
            "tokenizer; write {hub: owner/name@commit} of that encoder, or {path: a/folder}."
        )
    if Path(name).is_absolute() and given:
        raise UserError(f"'comet.encoder' is not read, since the model was built on the folder {name}; take it out.")
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise UserError(f"The COMET model was built on the folder {name}, which is not there; put its encoder there.")
