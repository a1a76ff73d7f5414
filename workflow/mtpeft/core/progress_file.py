"""How far a training is, in a small file beside its checkpoint, for whoever watches it; no result depends on it."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mtpeft.core.files import read_if_whole

PROGRESS_FILE = "progress.json"


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is.

    Attributes:
        update: number of updates that have been made.
        updates: number of all updates.
        loss: of the last update, per target token; None before the first of this process.
        tokens_per_second: target tokens per second, since this process began.
        dev_score: the last one; None before the first.
        best_dev_score: the best one so far.
        seconds_left: until the last update, by the updates of this process; None before the first.
        written: when this was written, in seconds since the epoch.
    """

    update: int
    updates: int
    loss: float | None
    tokens_per_second: float
    dev_score: float | None
    best_dev_score: float | None
    seconds_left: float | None
    written: float


def write_progress(folder: Path, progress: TrainingProgress) -> None:
    """Replace the file at once. It is not synchronised with the disk, and a full disk stops no training."""
    temporary = folder / f".{PROGRESS_FILE}.tmp"
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        os.replace(temporary, folder / PROGRESS_FILE)


def read_progress(state: Path) -> TrainingProgress | None:
    """The newest progress in a state folder, or in its folders of stages and of trials; None where there is none."""
    found = [read_if_whole(file) for file in state.rglob(PROGRESS_FILE)]
    known = [TrainingProgress(**content) for content, _ in filter(None, found)]
    return max(known, key=lambda own: own.written, default=None)
