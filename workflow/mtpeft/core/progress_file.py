"""How far a training is, in a small file beside its checkpoint, for whoever watches it; no result depends on it."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mtpeft.core.files import read_if_whole

PROGRESS_FILE = "progress.json"
TRIAL_FILE = "trial.json"
"""Record of a trial that has ended."""


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
        trial: number of this training in a search for a learning rate, which the reader counts; 0 outside of one.
    """

    update: int
    updates: int
    loss: float | None
    tokens_per_second: float
    dev_score: float | None
    best_dev_score: float | None
    seconds_left: float | None
    written: float
    trial: int = 0


def write_progress(folder: Path, progress: TrainingProgress) -> None:
    """Replace the file at once. It is not synchronised with the disk, and a full disk stops no training."""
    temporary = folder / f".{PROGRESS_FILE}.tmp"
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        os.replace(temporary, folder / PROGRESS_FILE)


def read_progress(state: Path) -> TrainingProgress | None:
    """The newest progress in a state folder, or in its folders of stages and of trials; None where there is none."""
    found = [read_if_whole(file) for file in state.rglob(PROGRESS_FILE)]
    known = [own for content, _ in filter(None, found) if (own := _progress(content))]
    return max(known, key=lambda own: own.written, default=None)


def _progress(content: Mapping[str, Any]) -> TrainingProgress | None:
    """The progress in a file; None in one of another version, which has other keys."""
    return TrainingProgress(**content) if content.keys() == {own.name for own in fields(TrainingProgress)} else None


def read_progress_of_search(state: Path) -> TrainingProgress | None:
    """The newest progress in the state folder of a search, with the number of its trial; None where there is none."""
    found = read_progress(state)
    return replace(found, trial=1 + len(list(state.rglob(TRIAL_FILE)))) if found else None
