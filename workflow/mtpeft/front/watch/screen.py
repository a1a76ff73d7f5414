"""`status --watch`: a study file's cells by state, what runs, the GPUs, and the time left, from files alone."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mtpeft.cluster.folder_lock import read_holder
from mtpeft.cluster.gpus import taken_slots
from mtpeft.core.errors import UserError
from mtpeft.core.text_tables import aligned
from mtpeft.front.watch.cells import FAILED, RUNNING, STATES, WAITING, StudyCells, state_of_cell
from mtpeft.front.watch.lines import running_line
from mtpeft.front.watch.look import Seen, Watch

WATCH_SECONDS = 2.0
CELL_RULES = ("train", "decode", "score", "decode_other", "score_other")
CLEAR = "\x1b[H\x1b[J"
"""Puts the cursor into the corner of a terminal and clears what follows."""
MOST_RUNNING = 12


def watch_study(results: Path) -> None:
    """Show how far a study file is, on a terminal again and again until Ctrl-C, else once.

    Raises:
        UserError: it was never run, or by an earlier version.
    """
    watch = Watch(results)
    if watch.cells() is None:
        raise UserError(
            f"{results} has no study that was run; `make figures` runs one, `make status` counts its cells."
        )
    if not sys.stdout.isatty():
        print("\n".join(screen_lines(watch)))
        return
    while True:
        lines, (columns, rows) = list(screen_lines(watch)), os.get_terminal_size()
        shown = "\n".join(line[: columns - 1] for line in lines[: rows - 1])
        print(f"{CLEAR}{shown}", end="", flush=True)
        time.sleep(WATCH_SECONDS)


def screen_lines(watch: Watch) -> Iterator[str]:
    """Everything that is shown at one look."""
    (seen, _), cells = watch.look(), watch.cells()
    assert cells is not None
    holder = read_holder()
    lives = holder is not None and holder.lives
    yield f"{watch.results}, {time.strftime('%H:%M:%S')}: {'a sweep runs' if lives else 'no sweep runs'}"
    yield ""
    yield from aligned(list(_rows(cells, _running_cells(watch, seen) if lives else set()))).splitlines()
    yield ""
    if lives:
        jobs = "1 job" if len(seen.running) == 1 else f"{len(seen.running)} jobs"
        yield f"{seen.left}, {jobs}" if seen.left else jobs
        lines = [running_line(job, progress, now=time.time()) for job, progress in seen.running]
        yield from lines[:MOST_RUNNING]
        yield from [f"and {len(lines) - MOST_RUNNING} more"] if len(lines) > MOST_RUNNING else []
    for device, (taken, limit) in taken_slots().items():
        yield f"GPU {device}: {taken} of {limit} slots are taken"


def _running_cells(watch: Watch, seen: Seen) -> set[str]:
    """Names of the cells of which a step runs."""
    return {
        job.labels if not job.rule.endswith("_other") else " on ".join(job.labels.rsplit("/", 1))
        for job, _ in seen.running
        if job.rule in CELL_RULES
    }


def _rows(cells: StudyCells, running: set[str]) -> Iterator[tuple[object, ...]]:
    """Rows by study, then of all cells, with their numbers by state."""
    states = {name: state_of_cell(folders) for name, folders in cells.folders.items()}
    states |= {name: RUNNING for name in running & states.keys() if states[name] in (WAITING, FAILED)}
    yield ("study", "cells", *STATES)
    for label, names in cells.studies.items():
        yield _row(label, names, states)
    yield _row("all, each once", cells.cells, states)
    if cells.others:
        yield _row("all, other pairs", cells.others, states)


def _row(label: str, names: Sequence[str], states: Mapping[str, str]) -> tuple[object, ...]:
    counts = Counter(states[name] for name in names)
    return (label, len(names), *(counts[state] or "." for state in STATES))
