"""Record which cells a study file had when it was last run, and say what a change of it makes anew before it is run.

The record is `results/<study file>/study.json`. The folder of a cell bears a digest of what its labels stand for, so a
changed entry of a catalogue destroys nothing: its cells are made anew beside the earlier ones.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import CELLS_FOLDER, name_of
from mtpeft.config.models import EXECUTION
from mtpeft.config.schema import Configuration
from mtpeft.config.study_file import without_default
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_if_whole, write_text
from mtpeft.core.wording import listed
from mtpeft.front.study_folders import RECORD
from mtpeft.steps.cells_of_studies import (
    RESULTS,
    placed_cells,
    placed_others,
    placed_study_cells,
    results_folder,
)
from mtpeft.steps.paths import in_use

FINISHED = "score.json"
EARLIER_LAYOUT = ("results/scores.csv", "results/figures", "results/tables")
"""Files of earlier versions, in which all study files shared one folder and folders of cells had no digest."""


@dataclass(frozen=True)
class UnusedCells:
    """Finished cells that a study file had, and no longer uses since it was changed."""

    folders: Sequence[Path]

    @property
    def seconds(self) -> float:
        """Time that their training and decoding took."""
        return sum(map(_seconds, self.folders))

    @property
    def stored_bytes(self) -> int:
        """Space that they take on the disk."""
        return sum(size_of(folder) for folder in self.folders)


def configuration_hash(configuration: Configuration) -> str:
    """Hash of everything in a configuration that results depend on."""
    text = configuration.model_dump_json(exclude={"models": dict.fromkeys(configuration.models, EXECUTION)})
    return hashlib.sha256(text.encode()).hexdigest()


def begin_study(configuration: Configuration, overlays: Sequence[Path]) -> list[str]:
    """Record what a study file makes now; returns warnings about what it leaves unused.

    Raises:
        UserError: another study file has the same name.
    """
    folder, files = results_folder(configuration), [_written(file) for file in without_default(overlays)]
    known = _read(folder)
    if known and known["files"] != files:
        raise UserError(
            f"{folder} holds the results of {_named(known['files'])}, and {_named(files)} would lie there as well; "
            f"rename the study file or, if it is the same one in another place, delete {folder / RECORD}."
        )
    lines = [*earlier_layout(known), *changes(configuration)]
    studies, cells = configuration.studies.items(), placed_cells(configuration)
    record = {
        "files": files,
        "cells": {cell.path: cell.digest for cell in cells},
        "groups": {cell.path: [str(on.folder) for on in cell.measured] for cell in cells if cell.is_group},
        "studies": {name: [cell.path for cell in placed_study_cells(configuration, own)] for name, own in studies},
        "others": {f"{on.cell.path} on {on.pair}": str(on.folder) for on in placed_others(configuration)},
        "uses": sorted(in_use(configuration)),
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if not (folder / RECORD).exists() or (folder / RECORD).read_text(encoding="utf-8") != text:
        write_text(folder / RECORD, text)
    os.utime(folder / RECORD)  # the one that was run last has the newest
    return lines


def earlier_layout(known: dict[str, Any] | None) -> Iterator[str]:
    """A warning about results of an earlier version, at the first start of a study file."""
    found = [place for place in EARLIER_LAYOUT if Path(place).exists()]
    if found and known is None:
        yield (
            f"{listed(found)} and what else has no digest in its name under data/ and results/ were made by an earlier "
            "version, which put files into other folders; they are left as they are and not used."
        )


def changes(configuration: Configuration) -> Iterator[str]:
    """A warning about finished cells that are made anew, since their labels stand for something else than before."""
    unused = unused_cells(configuration)
    if unused.folders:
        yield (
            f"Since this study was last run, entries of the catalogues were changed: {len(unused.folders)} finished "
            f"cell(s) are made anew, whose training and decoding took {unused.seconds / 3600:.2g} hours. What was made "
            f"before stays ({unused.stored_bytes / 1e6:.1f} MB in {unused.folders[0]} and others of its kind); "
            "`make tidy` lists what no study file uses."
        )


def unused_cells(configuration: Configuration) -> UnusedCells:
    """Finished cells that the study file had when it was last run, and whose labels stand for something else now."""
    known = _read(results_folder(configuration)) or {"cells": {}}
    now = {cell.path: cell for cell in placed_cells(configuration)}
    folders = [
        CELLS_FOLDER / name_of(path, digest)
        for path, digest in known["cells"].items()
        if path in now and now[path].digest != digest and not (now[path].folder / FINISHED).exists()
    ]
    return UnusedCells([folder for folder in folders if (folder / FINISHED).exists()])


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.lstat().st_size for file in (path, *path.rglob("*")) if not file.is_dir())


def all_uses() -> set[str]:
    """Everything that the study files with results used when they were last run."""
    return {used for record in sorted(RESULTS.glob(f"*/{RECORD}")) for used in (_read(record.parent) or {})["uses"]}


def _seconds(folder: Path) -> float:
    """Seconds that the training and the decoding of a finished cell took."""
    records = (read_if_whole(folder / name) for name in ("train.json", "decode.json"))
    return sum(record.get("train_seconds", record.get("decode_seconds", 0.0)) for record, _ in filter(None, records))


def _read(folder: Path) -> dict[str, Any] | None:
    read = read_if_whole(folder / RECORD)
    return read[0] if read else None


def _written(file: Path) -> str:
    """The path of a study file, relative to the working directory where it lies inside."""
    path = Path(file).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _named(files: Sequence[str]) -> str:
    return " over ".join(reversed(files)) or "config.yaml alone"
