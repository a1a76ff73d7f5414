"""Count the cells in each state, from their files alone. Nothing is locked, so this works beside a running sweep."""

import fcntl
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell, OnPair
from mtpeft.config.schema import Configuration
from mtpeft.core.failure_notes import FAILURE, FAILURES_FOLDER
from mtpeft.core.files import read_if_whole
from mtpeft.core.text_tables import aligned
from mtpeft.metrics.base import METRICS
from mtpeft.steps.cells_of_studies import (
    all_represented,
    all_served,
    placed_cells,
    placed_others,
    placed_study_cells,
    placed_study_others,
)
from mtpeft.steps.freshness import current_records, is_represented, is_served, scored_now

STATES = ("done", "diverged", "running", "failed", "stopped", "missing")


def state_of(configuration: Configuration, cell: Cell, pair: str | None = None) -> str:
    """The state of a cell, one of `STATES`.

    `stopped` is half-trained, or has done some of its steps; `failed` has a note that says why. Results of other
    params than those of now count as missing.

    Args:
        configuration: of now.
        cell: whose state is wanted.
        pair: another pair than its own whose test sets it is to be scored on. A cell of several pairs has all of them
            as its own.
    """
    return _read(configuration, OnPair(cell, pair or cell.pair))[0]


def is_finished(configuration: Configuration, cell: Cell, pair: str | None = None) -> bool:
    """Whether nothing is left to do for a cell, or for a cell on another pair than its own; divergence is a result."""
    return finished_records(configuration, cell, pair) is not None


def finished_of(configuration: Configuration, measured: Sequence[OnPair]) -> tuple[int, int]:
    """Count the cells on pairs that are finished, and all of them."""
    return sum(is_finished(configuration, *on) for on in measured), len(measured)


def finished_records(
    configuration: Configuration, cell: Cell, pair: str | None = None
) -> dict[str, dict[str, Any]] | None:
    """The records of a finished cell by step, or None when something is left to do for it."""
    state, records = _read(configuration, OnPair(cell, pair or cell.pair))
    return records if state in ("done", "diverged") else None


def _read(configuration: Configuration, measured: OnPair) -> tuple[str, dict[str, dict[str, Any]]]:
    """The state of a cell on a pair and the records that show it."""
    if measured.cell.is_group and measured == measured.cell.on_own:
        return _read_multilingual(configuration, measured.cell)
    lock = measured.folder / "state" / "lock"
    if _is_locked(lock):
        return "running", {}
    if (measured.folder / FAILURE).exists():
        return "failed", {}
    records = current_records(configuration, *measured)
    if "score" in records:
        return "done" if records["score"]["status"] == "ok" else "diverged", records
    first = "train" if measured.pair == measured.cell.pair else "decode"
    return "stopped" if first in records or lock.exists() else "missing", records


def _read_multilingual(configuration: Configuration, cell: Cell) -> tuple[str, dict[str, dict[str, Any]]]:
    """The state of a cell of several pairs and of what follows on each of them, with the records of the first."""
    lock = cell.folder / "state" / "lock"
    by_pair = [_read(configuration, measured) for measured in cell.measured]
    states, records = {state for state, _ in by_pair}, by_pair[0][1]
    if _is_locked(lock) or "running" in states:
        return "running", {}
    if (cell.folder / FAILURE).exists() or "failed" in states:
        return "failed", {}
    if states <= {"done", "diverged"}:
        return "diverged" if "diverged" in states else "done", records
    return "stopped" if "train" in records or states != {"missing"} or lock.exists() else "missing", records


def _is_locked(lock: Path) -> bool:
    """Whether a process has the lock of a saved state, and so works on it now."""
    try:
        with open(lock) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def status_table(configuration: Configuration) -> str:
    """A table of the cells of each study and method by state, on their own and on other pairs, and why steps failed."""
    rows: list[tuple[object, ...]] = [("study", "method", *STATES)]
    for label, study in configuration.studies.items():
        own = [cell.on_own for cell in placed_study_cells(configuration, study)]
        rows += _by_method(configuration, label, own)
        rows += _by_method(configuration, f"{label}, other pairs", placed_study_others(configuration, label))
    cells, others = placed_cells(configuration), placed_others(configuration)
    everything = {"all, each once": [cell.on_own for cell in cells], "all, other pairs": others}
    rows += [_counted(configuration, label, "", measured) for label, measured in everything.items() if measured]
    scored = [
        f"scored with {METRICS[name].title}: {len(own)} of {len(cells)} cells"
        for name, own in scored_now(configuration, cells).items()
    ]
    wanted = all_represented(configuration)
    found = [cell for cell in wanted if is_represented(configuration, cell)]
    represented = [f"representations measured: {len(found)} of {len(wanted)} cells"] if wanted else []
    served = all_served(configuration)
    decoded = sum(is_served(configuration, own) for own in served)
    with_experts = [f"decoded with experts: {decoded} of {len(served)}"] if served else []
    return "\n".join([aligned(rows), *scored, *represented, *with_experts, *failures([*cells, *others]).values()])


def _by_method(configuration: Configuration, label: str, measured: Sequence[OnPair]) -> list[tuple[object, ...]]:
    methods = dict.fromkeys(cell.method for cell, _ in measured)
    return [_counted(configuration, label, own, [on for on in measured if on.cell.method == own]) for own in methods]


def _counted(configuration: Configuration, label: str, method: str, measured: Sequence[OnPair]) -> tuple[object, ...]:
    counts = Counter(state_of(configuration, *on) for on in measured)
    return (label, method, *(counts[state] or "." for state in STATES))


def failures(cells: Iterable[Cell | OnPair]) -> dict[str, str]:
    """A line for each failed step of these cells, and of the text and the models that they are made from, by target."""
    folders = dict.fromkeys(folder for work in cells for folder in _folders(work))
    notes = [*(folder / FAILURE for folder in folders), *sorted(FAILURES_FOLDER.glob("*.json"))]
    read = [read_if_whole(note) for note in notes]
    found = [note for note, _ in filter(None, read)]
    return {note["target"]: f"failed: {note['step']} of {note['target']}: {note['reason']}" for note in found}


def _folders(work: Cell | OnPair) -> list[Path]:
    """Folders of the steps of a cell, or of those on a pair."""
    return [work.folder, *(measured.folder for measured in (work.measured if isinstance(work, Cell) else ()))]
