"""Have a running sweep priced: at its start, and again when its models and its text are there."""

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from statistics import pstdev

from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.front.prices.costs import ROUGHLY, Costs
from mtpeft.front.prices.jobs import Job, jobs_left
from mtpeft.front.prices.measured import measured_here
from mtpeft.front.watch.expected import ROUGH_SPREAD, Expected, write_expected
from mtpeft.front.watch.look import Watch

TRAININGS = ("train", "search_rate")


@dataclass
class Pricing:
    """Writes the prices of a sweep, in a thread, since those of thousands of cells take a minute.

    Attributes:
        configuration: of the sweep.
        watch: its jobs.
        at_once: number of jobs that run side by side; 0 where a cluster decides.
    """

    configuration: Configuration
    watch: Watch
    at_once: int
    _thread: threading.Thread | None = None
    _trains: bool = False
    _expected: Expected = field(default_factory=Expected)

    def report(self) -> None:
        """Begin a pricing where one is due; to be called often."""
        if self._thread is not None and self._thread.is_alive():
            return
        trains = any(job.rule in TRAININGS for job in self.watch.jobs.by_id.values())
        if self._thread is None or trains > self._trains:
            self._trains = trains
            self._thread = threading.Thread(target=self._price, daemon=True)
            self._thread.start()

    def _price(self) -> None:
        # Where a record vanishes while it is read, or the disk is full, the earlier prices do.
        with contextlib.suppress(OSError, UserError):
            self._expected = priced(self.configuration, at_once=self.at_once, before=self._expected.seconds)
            write_expected(self._expected, self.watch.results)


def priced(configuration: Configuration, *, at_once: int, before: Mapping[str, float]) -> Expected:
    """Price what is left to do, which takes some 10 ms for each cell, beside the prices of what this sweep has done."""
    jobs, costs = jobs_left(configuration), Costs(measured_here(configuration))
    seconds = {name: value for job in jobs for name, value in _shares(job, costs).items()}
    unknown = sum(job.work is None for job in jobs)
    return Expected({**before, **seconds}, unknown, _spread(jobs, costs), at_once)


def _shares(job: Job, costs: Costs) -> dict[str, float]:
    """What each record takes that a job makes: the first has what precedes the decodings, which share the rest."""
    if job.work is None:
        return {}
    first, *decoded = job.makes
    whole = costs.price(job.kind, job.work).seconds
    decoding = costs.price(job.kind, job.decoding).seconds if decoded else 0.0
    return {first: whole - decoding} | dict.fromkeys(decoded, decoding / max(1, len(decoded)))


def _spread(jobs: list[Job], costs: Costs) -> float:
    """How prices of finished cells, each by all others, differ from what the cells took."""
    known = [job for job in jobs if job.work]
    if any(ROUGHLY in costs.price(job.kind, job.work).rests_on for job in known):
        return ROUGH_SPREAD
    ratios = costs.ratios_of_cells()
    return pstdev(map(log, ratios)) if len(ratios) > 2 else ROUGH_SPREAD
