"""What a limit of hours leaves out, in the order in which a sweep does it. Nothing is run, and nothing left unsaid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtpeft.front.prices.costs import Costs
from mtpeft.front.prices.jobs import Job

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Limited:
    """Jobs in their order, divided by a limit; jobs of unknown price are neither in nor out.

    Attributes:
        fits: jobs that are done within it.
        left_out: the first job that is not, and all after it, each with its seconds of one core.
        unknown: jobs of models whose shape is not known yet.
    """

    fits: Sequence[Job]
    left_out: Sequence[tuple[Job, float]]
    unknown: Sequence[Job]


def limited(jobs: Sequence[Job], costs: Costs, *, hours: float, cores: int) -> Limited:
    """Divide jobs by the hours that they may take with so many cores."""
    left = hours * cores * SECONDS_PER_HOUR
    fits: list[Job] = []
    left_out: list[tuple[Job, float]] = []
    unknown: list[Job] = []
    for job in jobs:
        if job.work is None:
            unknown.append(job)
            continue
        seconds = costs.price(job.kind, job.work).seconds
        if left_out or seconds > left:
            left_out.append((job, seconds))
        else:
            left -= seconds
            fits.append(job)
    return Limited(fits, left_out, unknown)


def limit_lines(found: Limited, *, hours: float, cores: int) -> Iterator[str]:
    """Write what a limit leaves out, job by job."""
    cells = sum(job.is_cell for job, _ in found.left_out)
    if found.left_out:
        yield (
            f"In {hours:g} hours with CORES={cores}, a sweep would finish {_count(found.fits)} of what is left, in its "
            f"order; {len(found.left_out)} would be left out, {cells} of them cells. Core hours, study, and what it is:"
        )
    else:
        yield f"In {hours:g} hours with CORES={cores}, a sweep would finish all of known price, {_count(found.fits)}."
    for job, seconds in found.left_out:
        yield f"  {seconds / SECONDS_PER_HOUR:8.3f}  {job.study}: {job.name}"
    if found.unknown:
        yield f"{len(found.unknown)} more have no price yet, since their models are not here:"
    for job in found.unknown:
        yield f"  unknown   {job.study}: {job.name}"


def _count(jobs: Sequence[Job]) -> str:
    return f"{len(jobs)} jobs ({sum(job.is_cell for job in jobs)} cells)"
