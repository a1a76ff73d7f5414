"""How far a sweep is, read from its files alone; nothing is locked, so it can be asked beside a running sweep."""

import fcntl
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, study_cells
from mtpeft.front.text import aligned
from mtpeft.records import read_if_whole
from mtpeft.results.comet import scored_with_comet
from mtpeft.results.freshness import fresh_records
from mtpeft.results.notes import FAILURE, FAILURES_FOLDER

STATES = ("done", "diverged", "running", "failed", "stopped", "missing")


def state_of(configuration: Configuration, cell: Cell) -> str:
    """One of `STATES`: `stopped` is half-trained or half-way through its steps, `failed` has said why it failed.

    Results of other settings than those of now are as good as missing.
    """
    return _look(configuration, cell)[0]


def is_finished(configuration: Configuration, cell: Cell) -> bool:
    """True when nothing is left to do for a cell; divergence is a result."""
    return finished_records(configuration, cell) is not None


def finished_records(configuration: Configuration, cell: Cell) -> dict[str, dict[str, Any]] | None:
    """Records of a cell by step, those by which it is finished, or None when something is left to do for it."""
    state, records = _look(configuration, cell)
    return records if state in ("done", "diverged") else None


def _look(configuration: Configuration, cell: Cell) -> tuple[str, dict[str, dict[str, Any]]]:
    """A cell's state and the records that show it."""
    lock = cell.folder / "state" / "lock"
    if _is_held(lock):
        return "running", {}
    if (cell.folder / FAILURE).exists():
        return "failed", {}
    records = fresh_records(configuration, cell)
    if "score" in records:
        return "done" if records["score"]["status"] == "ok" else "diverged", records
    return "stopped" if records or lock.exists() else "missing", records


def _is_held(lock: Path) -> bool:
    try:
        with open(lock) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def status_table(configuration: Configuration) -> str:
    """Cells of each study and method by state, and why cells failed."""
    rows: list[tuple[object, ...]] = [("study", "method", *STATES)]
    for label, study in configuration.studies.items():
        cells = study_cells(configuration, study)
        for method in dict.fromkeys(cell.method for cell in cells):
            counts = Counter(state_of(configuration, cell) for cell in cells if cell.method == method)
            rows.append((label, method, *(counts[state] or "." for state in STATES)))
    cells = all_cells(configuration)
    counts = Counter(state_of(configuration, cell) for cell in cells)
    rows.append(("all, each once", "", *(counts[state] or "." for state in STATES)))
    scored = scored_with_comet(configuration, cells)
    comet = [] if scored is None else [f"scored with COMET: {len(scored)} of {len(cells)} cells"]
    return "\n".join([aligned(rows), *comet, *failures(cells)])


def failures(cells: Iterable[Cell]) -> list[str]:
    """One line per failed step: of these cells, and of whatever comes before them."""
    notes = [*(cell.folder / FAILURE for cell in cells), *sorted(FAILURES_FOLDER.glob("*.json"))]
    read = [read_if_whole(note) for note in notes]
    return [f"failed: {note['step']} of {note['target']}: {note['reason']}" for note, _ in filter(None, read)]
