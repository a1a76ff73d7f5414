"""How far a sweep is, read from its files alone; nothing is locked, so it can be asked beside a running sweep."""

import fcntl
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, study_cells
from mtpeft.front.text import aligned
from mtpeft.records import read_record

STATES = ("done", "diverged", "running", "failed", "stopped", "missing")
STEP_RECORDS = {"train": "train.json", "decode": "decode.json", "score": "score.json"}


def state_of(cell: Cell) -> str:
    """One of `STATES`: `stopped` is half-trained or half-way through its steps, `failed` has said why it failed.

    Scores of a cell that is trained anew are old ones, so they count only where nothing says otherwise.
    """
    folder = cell.folder
    lock, train, score = folder / "state" / "lock", folder / "train.json", folder / "score.json"
    if lock.exists() and _is_held(lock):
        return "running"
    if (folder / "failed.json").exists():
        return "failed"
    if train.exists() and score.exists():
        return "done" if read_record(score)["status"] == "ok" else "diverged"
    return "stopped" if lock.exists() or train.exists() or score.exists() else "missing"


def _is_held(lock: Path) -> bool:
    with open(lock) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def status_table(configuration: Configuration) -> str:
    """Cells of each study and method by state, and why cells failed."""
    rows: list[tuple[object, ...]] = [("study", "method", *STATES)]
    for label, study in configuration.studies.items():
        cells = study_cells(configuration, study)
        for method in study.methods:
            counts = Counter(state_of(cell) for cell in cells if cell.method == method)
            rows.append((label, method, *(counts[state] or "." for state in STATES)))
    cells = all_cells(configuration)
    counts = Counter(map(state_of, cells))
    rows.append(("all, each once", "", *(counts[state] or "." for state in STATES)))
    return "\n".join([aligned(rows), *failures(cells)])


def failures(cells: Iterable[Cell]) -> list[str]:
    """One line per failed cell: where, at which step, and why."""
    failed = [cell for cell in cells if state_of(cell) == "failed"]
    records = [(cell, read_record(cell.folder / "failed.json")) for cell in failed]
    return [f"failed: {cell.path}, {record['step']}: {record['reason']}" for cell, record in records]


def plan_table(configuration: Configuration) -> str:
    """Cells of each study, those that no study above it has, those that are done, and the jobs that are left."""
    rows: list[tuple[object, ...]] = [
        ("study", "cells", "of its own", "done", *(f"{step} jobs" for step in STEP_RECORDS))
    ]
    seen: set[Cell] = set()
    for label, study in configuration.studies.items():
        cells = set(study_cells(configuration, study))
        rows.append((label, len(cells), len(cells - seen), _count(cells, "score.json"), *_left(cells - seen)))
        seen |= cells
    rows.append(("all, each once", len(seen), len(seen), _count(seen, "score.json"), *_left(seen)))
    return aligned(rows)


def _left(cells: set[Cell]) -> list[int]:
    return [len(cells) - _count(cells, record) for record in STEP_RECORDS.values()]


def _count(cells: set[Cell], record: str) -> int:
    return sum((cell.folder / record).exists() for cell in cells)
