"""Fetch a base model from a model hub: one revision, once, checked, and never asked for again."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.errors import UserError
from mtpeft.models.convert import convert_pickled
from mtpeft.models.hub_files import TOKENIZER_FILES, fetch_files, matching
from mtpeft.models.local import check_folder, record_folder

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
