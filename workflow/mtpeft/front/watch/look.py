"""A look at a sweep: everything that is shown of it, read from files alone, again and again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core.progress_file import TrainingProgress
from mtpeft.front.study_folders import RECORD
from mtpeft.front.watch.cells import StudyCells, count_finished, read_cells
from mtpeft.front.watch.expected import EXPECTED_FILE, Expected, read_expected
from mtpeft.front.watch.jobs import Jobs, SeenJob
from mtpeft.front.watch.left import TimeLeft, progress_of, time_left

EVENTS_FILE, SNAKEMAKE_LOG = "events.jsonl", "snakemake.log"
LOGS = Path("logs")


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
class Watch:
    """The files of a sweep, of which a look reads what has changed.

    Attributes:
        results: folder of the study file.
        jobs: of the sweep.
    """

    results: Path
    jobs: Jobs = field(init=False)
    _cells: StudyCells | None = None
    _expected: Expected = field(default_factory=Expected)
    _priced: float = 0.0
    _recorded: float = 0.0

    def __post_init__(self) -> None:
        self.jobs = Jobs(logs_of(self.results) / EVENTS_FILE)

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
        """The cells of the study file, read again when they are new; None where it was never run."""
        try:
            written = (self.results / RECORD).stat().st_mtime
        except FileNotFoundError:
            return self._cells
        if written != self._recorded:
            self._cells, self._recorded = read_cells(self.results), written
        return self._cells

    def expected(self) -> Expected:
        """The prices of the sweep, read again when they are new."""
        try:
            written = (self.results / EXPECTED_FILE).stat().st_mtime
        except FileNotFoundError:
            return self._expected
        if written != self._priced:
            self._expected, self._priced = read_expected(self.results), written
        return self._expected
