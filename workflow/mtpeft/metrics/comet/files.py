"""The files of a COMET model: a checkpoint, hparams.yaml beside its folder, and the encoder that this names."""

import os
import re
from pathlib import Path

import yaml

from mtpeft.core.errors import UserError
from mtpeft.models.hub import matching
from mtpeft.models.tokenizer import TOKENIZER_FILES

CHECKPOINT = "checkpoints/model.ckpt"
"""Where published models have it."""
HYPERPARAMETERS = "hparams.yaml"
ENCODER_FILES = ("config.json", *TOKENIZER_FILES)
CLASS, ENCODER = "class_identifier", "pretrained_model"
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def hyperparameters_of(checkpoint: Path) -> Path:
    """Where COMET looks for the hyperparameters of a checkpoint."""
    return Path(os.path.normpath(checkpoint.parent / "..")) / HYPERPARAMETERS


def encoder_of(checkpoint: Path, *, key: str) -> str:
    """What a model was built on: a folder, or a name of the hub.

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
    names = matching((file.name for file in folder.iterdir()), ENCODER_FILES)
    return [folder / name for name in names]


def check_encoder(name: str, *, given: bool) -> None:
    """See that there is an encoder, and only one, for a model that was built on `name`.

    Raises:
        UserError: the configuration must name one, or must not.
    """
    if not Path(name).is_absolute() and not HUB_NAME.fullmatch(name):
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
