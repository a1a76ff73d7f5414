"""A look at a sweep: everything that is shown of it, read from files alone, again and again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from mtpeft.core.progress_file import TrainingProgress
from mtpeft.front.study_folders import RECORD
from mtpeft.front.watch.cells import StudyCells, count_finished, read_cells
from mtpeft.front.watch.expected import EXPECTED_FILE, Expected, read_expected
from mtpeft.front.watch.jobs import Jobs, SeenJob
from mtpeft.front.watch.left import TimeLeft, progress_of, time_left

EVENTS_FILE, SNAKEMAKE_LOG = "events.jsonl", "snakemake.log"
LOGS = Path("logs")
T = TypeVar("T")


def logs_of(results: Path) -> Path:
    """The folder of the logs of a study file, given that of its results."""
    return LOGS / results.name


@dataclass(frozen=True)
class Seen:
    """What one look has seen.

    Attributes:
        cells: number of cells that have a score, and of all.
        others: the same of decodings of other pairs.
        running: jobs that run or wait in a queue, with how far they are.
        left: time that the rest takes; None where it is not known.
    """

    cells: tuple[int, int]
    others: tuple[int, int]
    running: Sequence[tuple[SeenJob, TrainingProgress | None]]
    left: TimeLeft | None


@dataclass
class Reread(Generic[T]):
    """What a file holds, read again when the file is new.

    Attributes:
        file: whose time is looked at.
        read: reads it.
        found: what was read last; at first, what stands for a file that is not there.
    """

    file: Path
    read: Callable[[], T]
    found: T
    _written: float = 0.0

    def now(self) -> T:
        """What the file holds now, or held before it was removed."""
        try:
            written = self.file.stat().st_mtime
        except FileNotFoundError:
            return self.found
        if written != self._written:
            self.found, self._written = self.read(), written
        return self.found


@dataclass
class Watch:
    """The files of a sweep, of which a look reads what has changed.

    Attributes:
        results: folder of the study file.
        jobs: of the sweep.
    """

    results: Path
    jobs: Jobs = field(init=False)
    _cells: "Reread[StudyCells | None]" = field(init=False)
    _expected: "Reread[Expected]" = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Jobs(logs_of(self.results) / EVENTS_FILE)
        self._cells = Reread(self.results / RECORD, lambda: read_cells(self.results), None)
        self._expected = Reread(self.results / EXPECTED_FILE, lambda: read_expected(self.results), Expected())

    def look(self) -> tuple[Seen, list[SeenJob]]:
        """Look at everything; returns what is seen and the jobs that have ended since the last look."""
        ended, cells = self.jobs.read(), self.cells()
        running = [(job, progress_of(job)) for job in self.jobs.running()]
        known = {job.name: progress for job, progress in running if progress}
        left = time_left(self.expected(), self.jobs, known, now=time.time())
        own, others = (cells.cells, cells.others) if cells else ((), ())
        counts = [(count_finished(cells, names) if cells else 0, len(names)) for names in (own, others)]
        return Seen(counts[0], counts[1], running, left), ended

    def cells(self) -> StudyCells | None:
        """The cells of the study file; None where it was never run."""
        return self._cells.now()

    def expected(self) -> Expected:
        """The prices of the sweep."""
        return self._expected.now()
