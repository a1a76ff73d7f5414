"""What each job of a sweep is expected to take, kept in a file for whoever watches the sweep."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import log
from pathlib import Path
from statistics import pstdev

from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole, write_record
from mtpeft.front.prices.costs import ROUGHLY, Costs
from mtpeft.front.prices.jobs import Job, jobs_left
from mtpeft.front.prices.measured import measured_here

EXPECTED_FILE = "expected.json"
ROUGH_SPREAD = 0.7
"""Standard deviation of the logarithm of what a job takes over its price, a factor of two, where nothing is known."""


@dataclass(frozen=True)
class Expected:
    """What jobs are expected to take.

    Attributes:
        seconds: of one core, by the record that a job makes.
        unknown: number of jobs whose work is not known before their model is fetched.
        spread: standard deviation of the logarithm of what finished cells have taken over their prices.
        at_once: number of jobs that run side by side; 0 where a cluster decides.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    unknown: int = 0
    spread: float = ROUGH_SPREAD
    at_once: int = 0


def write_expected(
    configuration: Configuration, results: Path, *, at_once: int, before: Mapping[str, float]
) -> Expected:
    """Price what is left to do, which takes some 10 ms for each cell, beside the prices of what this sweep has done."""
    jobs, costs = jobs_left(configuration), Costs(measured_here(configuration))
    seconds = {name: value for job in jobs for name, value in _shares(job, costs).items()}
    unknown = sum(job.work is None for job in jobs)
    expected = Expected({**before, **seconds}, unknown, _spread(jobs, costs), at_once)
    write_record(results / EXPECTED_FILE, asdict(expected))
    return expected


def read_expected(results: Path) -> Expected:
    """The prices in the folder of a study file; none where no sweep has written any."""
    read = read_if_whole(results / EXPECTED_FILE)
    return Expected(**read[0]) if read else Expected()


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
