"""Fetch a base model from a model hub: one revision, once, checked, and never asked for again."""

import pickle
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of
from mtpeft.models.hub_files import TOKENIZER_FILES, fetch_files, matching
from mtpeft.models.local import check_folder, record_folder
from mtpeft.models.weights import LOGITS_BIAS, refuse_other_tensors

FOLDER = "hub"
"""Folder beside a model's `base.json`, into which its files are fetched."""
CONFIGURATION_FILES = ("config.json", "generation_config.json")
SAFETENSORS = ("model*.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model*.bin", "pytorch_model.bin.index.json")


def fetch_model(settings: Mapping[str, Any], *, record: Path) -> None:
    """Write `hub/` beside the record with the files of one revision, and the record.

    Files that were fetched before are not fetched again; one that breaks off goes on where it stopped. Where there are
    no safetensors, the pickled weights are converted, and deleted afterwards.

    Args:
        settings: `hub`, as `owner/name@revision`.
        record: `base.json` of the model, in the folder named as it.

    Raises:
        UserError: the hub, the repository or the revision is not there or not as announced, the connection failed, or
            there is no model of a supported family.
    """
    key = f"models.{label_of(record.parent.name)}.hub"
    folder = record.parent / FOLDER
    commit = fetch_files(settings["hub"], partial(_files_of, key=key, hub=settings["hub"]), folder, key=key)
    check_folder(folder, key=key)
    origin = {"commit": commit, "converted_from": convert_pickled(folder, key=key)}
    record_folder(settings, folder, key=key, record=record, origin=origin)


def _files_of(names: Sequence[str], *, key: str, hub: str) -> list[str]:
    """Configuration, tokenizer and weights of a model among all files: safetensors before pickles.

    Raises:
        UserError: there are no weights.
    """
    weights = matching(names, SAFETENSORS) or matching(names, PICKLED)
    if not weights:
        raise UserError(f"'{key}' is '{hub}', but that revision holds no weights; name another.")
    return [*matching(names, CONFIGURATION_FILES + TOKENIZER_FILES), *weights]


PICKLED_WEIGHTS = "pytorch_model*.bin"


def convert_pickled(folder: Path, *, key: str) -> dict[str, str]:
    """Replace pickled weights of a model's folder by safetensors; returns the SHA-256 of each file that is gone.

    Raises:
        UserError: the pickle holds more than tensors, or not those of the model; names `key`.
    """
    pickled = sorted(folder.glob(PICKLED_WEIGHTS))
    if not pickled or any(folder.glob("*.safetensors")):
        return {}
    hashes = {file.name: sha256_of(file) for file in pickled}
    temporary = folder.with_name(f".{folder.name}.converted")
    shutil.rmtree(temporary, ignore_errors=True)
    _convert(folder, temporary, key=key)
    for file in sorted(temporary.glob("model*")):
        file.rename(folder / file.name)
    shutil.rmtree(temporary)
    for file in (*pickled, folder / "pytorch_model.bin.index.json"):
        file.unlink(missing_ok=True)
    return hashes


def _convert(folder: Path, to: Path, *, key: str) -> None:
    from transformers import AutoModelForSeq2SeqLM

    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=False,
            weights_only=True,
            dtype="auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise UserError(
            f"'{key}': {PICKLED_WEIGHTS} in {folder} holds more than tensors, or is cut short, so it is not read "
            f"({str(error).splitlines()[0]}); name a model with safetensors."
        ) from error
    # Some checkpoints of families without this bias hold one that is zero.
    strange = {name for name in report["unexpected_keys"] if not name.endswith(LOGITS_BIAS)}
    refuse_other_tensors(model, {**report, "unexpected_keys": strange}, folder=folder, heads={})
    model.save_pretrained(to)
