"""The cells of the study file that was run last, and how far they are, from the names of their files.

The configuration is not read, and records are not compared with it, as `status` does: for thousands of cells that takes
longer than a look may take. What a cell's labels stand for is in the digest in the name of its folder.
"""

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mtpeft.cells import CELLS_FOLDER, name_of
from mtpeft.core.failure_notes import FAILURE
from mtpeft.core.files import read_if_whole
from mtpeft.front.study_folders import RECORD

DONE, DIVERGED, RUNNING, FAILED, WAITING = STATES = ("done", "diverged", "running", "failed", "waiting")
SCORE = "score.json"
HEAD_BYTES = 16_384
"""Most bytes of a score record that are read: its status stands before the counts of its sentences."""
SETTLED_NANOSECONDS = 2_000_000_000
"""A folder that was changed less long ago is read in any case."""
STATUS = re.compile(rb'(?m)^  "status": "(\w+)"')


@dataclass(frozen=True)
class StudyCells:
    """The cells of a study file when it was run last.

    Attributes:
        folders: of the records of each cell by its labels, several for a group of pairs; of a decoding of another pair
            by the labels and the pair.
        studies: labels of the cells of each study.
        others: names of the decodings of other pairs.
    """

    folders: Mapping[str, Sequence[Path]]
    studies: Mapping[str, Sequence[str]]
    others: Sequence[str]

    @property
    def cells(self) -> list[str]:
        """Labels of all cells, each once."""
        others = set(self.others)
        return [name for name in self.folders if name not in others]


def read_cells(results: Path) -> StudyCells | None:
    """The cells in the record of a study file; None where it was never run, or by an earlier version."""
    read = read_if_whole(results / RECORD)
    if read is None or "studies" not in read[0]:
        return None
    record = read[0]
    own = {path: (CELLS_FOLDER / name_of(path, digest),) for path, digest in record["cells"].items()}
    groups = {path: tuple(map(Path, folders)) for path, folders in record["groups"].items()}
    others = {name: (Path(folder),) for name, folder in record["others"].items()}
    return StudyCells(own | groups | others, record["studies"], tuple(others))


def count_finished(cells: StudyCells, names: Iterable[str]) -> int:
    """Count the cells that have all their scores."""
    return sum(is_scored(cells.folders[name]) for name in names)


def is_scored(folders: Iterable[Path]) -> bool:
    """Whether a cell has all its scores and no step of it has failed since, given the folders of its records."""
    return all((folder / SCORE).exists() and not (folder / FAILURE).exists() for folder in folders)


def state_of_cell(folders: Sequence[Path]) -> str:
    """How far a cell is, one of `STATES`, given the folders of its records; that of a running one is `waiting`."""
    states = {state_of_folder(folder) for folder in folders}
    return next(state for state in (FAILED, WAITING, DIVERGED, DONE) if state in states)


def state_of_folder(folder: Path) -> str:
    """How far a cell is on a pair, given the folder of its records, which is read again when it has changed."""
    try:
        changed = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return WAITING
    # A later change may have the same time as one of this moment.
    is_settled = time.time_ns() - changed > SETTLED_NANOSECONDS
    return _state_then(folder, changed) if is_settled else _state_now(folder)


@cache
def _state_then(folder: Path, changed: int) -> str:
    """How far a cell is, given when its folder was changed last."""
    return _state_now(folder)


def _state_now(folder: Path) -> str:
    try:
        names = set(os.listdir(folder))
    except FileNotFoundError:
        return WAITING
    # A step that is run again and fails leaves the score of the time before.
    if FAILURE in names:
        return FAILED
    if SCORE in names:
        return DIVERGED if _status_in(folder / SCORE) == b"diverged" else DONE
    return WAITING


def _status_in(record: Path) -> bytes:
    try:
        with record.open("rb") as stream:
            found = STATUS.search(stream.read(HEAD_BYTES))
    except FileNotFoundError:
        return b""
    return found[1] if found else b""
