"""How long the rest of a sweep will take, with its error: prices of jobs, corrected by how fast the sweep is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from statistics import stdev

from mtpeft.core.progress_file import TrainingProgress, read_progress, read_progress_of_search
from mtpeft.front.watch.expected import Expected
from mtpeft.front.watch.jobs import Jobs, SeenJob
from mtpeft.training.attempt_log import search_state_of, state_folder

PRIOR_SECONDS = 60.0
"""For so long the speed of a sweep is taken to be that of its prices, before its own is believed."""
START_SECONDS = 2.0
"""What every job takes beside its work, and a job without a price altogether."""
MOST_BEGUN = 0.95
"""Share of its price that a running job, of which nothing more is known, has used at the most."""
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class TimeLeft:
    """Seconds that the rest of a sweep will take, and the range of two standard errors around them."""

    seconds: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{duration(self.seconds)} left ({duration(self.low)} to {duration(self.high)})"


def duration(seconds: float) -> str:
    """Seconds in the unit that people would say them in."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def progress_of(job: SeenJob) -> TrainingProgress | None:
    """How far a running training, pre-training or search is; None for other jobs, and before the first update."""
    records = [Path(file) for file in job.output if file.endswith(".json")]
    if not records:
        return None
    is_search = job.rule == "search_rate"
    found = (
        read_progress_of_search(search_state_of(records[0])) if is_search else read_progress(state_folder(records[0]))
    )
    return found if found and found.written >= job.begun else None


def time_left(
    expected: Expected, jobs: Jobs, progress: Mapping[str, TrainingProgress], *, now: float
) -> TimeLeft | None:
    """Time that the jobs of a sweep will take, those that run among them; None before they are counted and priced.

    Args:
        expected: prices of trainings, searches and decodings that were left when the sweep began.
        jobs: of the sweep.
        progress: of running trainings by the name of their job.
        now: in seconds since the epoch.
    """
    if not expected.seconds or not jobs.total:
        return None
    priced = [(job, price_of(job, expected)) for job in jobs.by_id.values()]
    done = sum(price for job, price in priced if job.ended is not None)
    done += sum(_used(job, price, progress.get(job.name), now) for job, price in priced if job.runs)
    failed = sum(price for job, price in priced if job.failed)
    whole = sum(expected.seconds.values()) + START_SECONDS * jobs.total
    elapsed = now - min((job.begun for job, _ in priced), default=now)
    at_once = expected.at_once or max(1, sum(job.runs for job, _ in priced))
    speed = (done + at_once * PRIOR_SECONDS) / (elapsed + PRIOR_SECONDS)
    seconds = max(0.0, whole - done - failed) / speed
    error = exp(STANDARD_ERRORS * _error(expected, priced))
    return TimeLeft(seconds, seconds / error, seconds * error)


def price_of(job: SeenJob, expected: Expected) -> float:
    """Seconds that a job is expected to take, the start of its process among them."""
    return START_SECONDS + sum(expected.seconds.get(file, 0.0) for file in job.output)


def _used(job: SeenJob, price: float, progress: TrainingProgress | None, now: float) -> float:
    """The part of its price that a running job has used."""
    if progress and not progress.trial:
        return price * progress.update / progress.updates
    return min(MOST_BEGUN * price, now - job.begun)


def _error(expected: Expected, priced: Sequence[tuple[SeenJob, float]]) -> float:
    """Standard error of the logarithm of the speed, by the trainings and decodings that have ended in this sweep.

    Before three have, the error is that of the prices.
    """
    ended = [(job, price) for job, price in priced if job.ended is not None and price > START_SECONDS]
    took = [log(max(job.ended - job.begun, 1.0) / price) for job, price in ended if job.ended is not None]
    spread = stdev(took) if len(took) > 2 else expected.spread
    return spread / sqrt(len(took) + 1)
