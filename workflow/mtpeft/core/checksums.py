"""Checksums: what a step has made stands in its record by SHA-256, and whoever reads it compares.

A disk that fails, a copy that was cut short or a file that somebody edited is noticed before anything is made from it.
Reading costs one pass over the file: 1.4 GB a second on one core of a Xeon with instructions for SHA-256, so a base
model of 2.4 GB adds less than two seconds to each step that opens it.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.errors import DamagedError, UserError
from mtpeft.core.files import read_record, sha256_of

Hashes = dict[Path, str]
TIMESTAMP = ".snakemake_timestamp"
"""Snakemake's own file in a folder that it knows as an output; its time is that of the folder."""
MADE_IN = ("data", "results")
FOLDER_RECORD = "record.json"
"""The record of a folder that a step makes as a whole, inside of it."""
PARTS_RECORD = "parts.json"
"""The record of the files that a pair's text is divided into; other files have a record of their own name."""


def checksums_in(folder: Path, *, beside: Path) -> dict[str, str]:
    """SHA-256 of all files in a folder, by their paths relative to the folder of a record that lies `beside` it."""
    others = (TIMESTAMP, FOLDER_RECORD)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name not in others)
    return {str(file.relative_to(beside.parent)): sha256_of(file) for file in files}


def _of_base(record: Path, content: Mapping[str, Any]) -> Hashes:
    return {Path(content["folder"]) / name: digest for name, digest in content["sha256"].items()}


def _of_parts(record: Path, content: Mapping[str, Any]) -> Hashes:
    return {record.with_name(f"{part}.tsv"): digest for part, digest in content["sha256"].items()}


def _of_decoding(record: Path, content: Mapping[str, Any]) -> Hashes:
    sets = content.get("test_sets", {}).items()
    described = ((f"{name}.txt", own.get("sha256")) for name, own in sets)
    return {record.parent / "hypotheses" / name: digest for name, digest in described if digest}


def _of_archive(record: Path, content: Mapping[str, Any]) -> Hashes:
    suffix = ".zip" if "members" in content else ".tsv.gz"
    return {record.with_suffix(suffix): content["archive_sha256"]}


def _of_metric_model(record: Path, content: Mapping[str, Any]) -> Hashes:
    """Those that were fetched; the others are the user's own."""
    hashes = {Path(name): digest for name, digest in content["sha256"].items()}
    return {file: digest for file, digest in hashes.items() if file.is_relative_to(record.parent)}


KINDS: Mapping[str, Callable[[Path, Mapping[str, Any]], Hashes]] = {
    "base.json": _of_base,
    PARTS_RECORD: _of_parts,
    "decode.json": _of_decoding,
    "served.json": _of_decoding,
    "model.json": _of_metric_model,
}


def made_by(record: Path, content: Mapping[str, Any]) -> Hashes:
    """Files that a step has made, with their SHA-256, as its record has them; nothing where it has none."""
    if "made" in content:
        return {record.parent / name: digest for name, digest in (content["made"] or {}).items()}
    if record.name in KINDS:
        return KINDS[record.name](record, content)
    if "archive_sha256" in content:
        return _of_archive(record, content)
    return {record.with_suffix(".tsv"): content["sha256"]} if isinstance(content.get("sha256"), str) else {}


def record_of(file: Path) -> Path | None:
    """The record that has the checksum of a file, by where the file lies; None where no record does."""
    if file.is_dir():
        return file / FOLDER_RECORD if (file / FOLDER_RECORD).is_file() else None
    name = file.name.removesuffix(".gz").rpartition(".")[0]
    for record in (file.with_name(f"{name}.json"), file.with_name(PARTS_RECORD)):
        if file.suffix != ".json" and record.is_file():
            return record
    return None


def is_made_here(file: Path) -> bool:
    """Whether a file lies where the workflow puts what it makes, and not among a user's own."""
    return Path(os.path.abspath(file)).is_relative_to(Path.cwd()) and Path(os.path.relpath(file)).parts[0] in MADE_IN


def require_as_made(files: Iterable[Path]) -> None:
    """Compare files with the records beside them; those that have none, such as a user's own, are taken as they are.

    Raises:
        DamagedError: a file is another than the one that was made.
    """
    for file in files:
        if record := record_of(file):
            require_whole(record, file)


def require_whole(record: Path, *files: Path) -> dict[str, Any]:
    """Read a record, and compare some of the files that its step has made, or all of them, with it.

    Args:
        record: of the step.
        files: which to read; a folder stands for what is in it. Where none is named, all are.

    Raises:
        DamagedError: the record is cut, or a file is missing or is another than the one that was made.
    """
    content = read_record(record)
    for file, digest in made_by(record, content).items():
        if files and not any(asked == file or asked in file.parents for asked in files):
            continue
        if not file.is_file():
            raise DamagedError(f"{file} is missing, though {record} says that it was made", record=record, file=file)
        if sha256_of(file) != digest:
            raise DamagedError(
                f"{file} is not the file that {record} says was made: it has changed since", record=record, file=file
            )
    return content


def require_base(train: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the base model that a cell was trained on, given its train.json; its weights are compared.

    Raises:
        DamagedError: they are not those that were taken in.
        UserError: other weights were taken in since the cell was trained.
    """
    record = Path(train["inputs"]["base"])
    base = require_whole(record)
    read = {name: train["inputs"].get(f"base_{name}_sha256") for name in base["sha256"]}
    if changed := [name for name, digest in read.items() if digest not in (None, base["sha256"][name])]:
        raise UserError(
            f"The cell {'/'.join(train['cell'].values())} was trained on another {changed[0]} than that which "
            f"{record} names now: run the sweep again, or put the former model back."
        )
    return base


def discard_damaged(error: DamagedError) -> list[Path]:
    """Delete what is damaged, with its record; a user's own files stay. Returns what was deleted."""
    own = [file for file in error.damaged if is_made_here(file) and file.exists()]
    for file in own:
        file.unlink()
    return own
