"""What SLURM says of the allocation that a step runs in. Outside of one nothing is asked, and it never ends.

At the end of its time a trainer that goes on learning has its job put back into the queue, by `scontrol requeue`: the
job keeps its number, so that Snakemake goes on waiting for it and counts no retry. SLURM holds it back for two minutes
(`cred_expire`), then it waits its turn. Snakemake's plugin takes most of SLURM's variables out of the environment of
its steps, so SLURM itself is asked when the allocation ends.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

JOB_VARIABLE = "SLURM_JOB_ID"
SUBMITTED_VARIABLE = "MTPEFT_SUBMITTED"
"""Is set where Snakemake has submitted the job, so that it is not the user's own, which might not bear a second run."""
RUN_VARIABLE = "MTPEFT_RUN"
"""Names the run of Snakemake on its login node to all steps that it has submitted."""
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class JobTimes:
    """When a job was started and when SLURM will end it, in seconds since 1970."""

    start: float = -inf
    end: float = inf

    def is_late(self, moment: float) -> bool:
        """True when more than half of it was over at a moment."""
        return moment - self.start > self.end - moment


def job_id() -> str | None:
    """Number of the SLURM job that this process is a part of."""
    return os.environ.get(JOB_VARIABLE)


def job_times() -> JobTimes:
    """Those of this job; it has no end where there is none, or where SLURM does not say."""
    if not (job := job_id()):
        return JobTimes()
    times = (_try(["squeue", "--noheader", f"--jobs={job}", "--format=%S %e"]) or "").split()
    if len(times) == 2 and all(map(str.isdigit, times)):
        return JobTimes(*map(float, times))
    print(f"SLURM does not say when job {job} ends, so nothing is done before it does.", flush=True)
    return JobTimes()


def requeue() -> bool:
    """Put this job back into the queue; True where SLURM has done so, and will end it now.

    One that is being ended already is left alone: it was cancelled, its time is over, or SLURM has put it back itself.
    """
    job = job_id()
    if not job or SUBMITTED_VARIABLE not in os.environ:
        return False
    shown = _try(["scontrol", "show", "job", job])
    return bool(shown) and _may_go_back(shown) and _try(["scontrol", "requeue", job]) is not None


def _may_go_back(shown: str) -> bool:
    """Whether a job, as scontrol shows it, runs, or is ended to make room for another one (`PreemptMode=CANCEL`)."""
    told = dict(field.split("=", 1) for field in shown.split() if "=" in field)
    preempted = told.get("PreemptTime", "None")  # of an earlier start of the job, it does not count
    makes_room = preempted[:1].isdigit() and preempted >= told.get("StartTime", "")
    return told.get("JobState") == "RUNNING" or makes_room


def _try(command: Sequence[str]) -> str | None:
    """What a command of SLURM prints, with times as seconds since 1970, or None where it fails."""
    environment = os.environ | {"SLURM_TIME_FORMAT": "%s"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
