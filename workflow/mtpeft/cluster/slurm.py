"""Ask SLURM about jobs: about the one that this step runs in, and about those that were submitted from this folder.

Outside of an allocation nothing is asked about the own job, and it never ends. At the end of its time a trainer that
goes on learning has its job put back into the queue by `scontrol requeue`: the job keeps its number, so that Snakemake
goes on waiting for it and counts no retry. SLURM holds it back for two minutes (`cred_expire`), then it waits its turn.
Snakemake's plugin takes most of SLURM's variables out of the environment of its steps, so SLURM itself is asked when
the allocation ends.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from mtpeft.core import compat
from mtpeft.core.errors import UserError

JOB_VARIABLE = "SLURM_JOB_ID"
SUBMITTED_VARIABLE = "MTPEFT_SUBMITTED"
"""Is set where Snakemake has submitted the job, so that it is not the user's own, which might not bear a second run."""
RUN_VARIABLE = "MTPEFT_RUN"
"""Names the run of Snakemake on its login node to all steps that it has submitted."""
STEP_ANSWER_SECONDS = 30
"""Longest wait of a step for an answer; without an answer it goes on as if there were no SLURM."""
ANSWER_SECONDS = 60
"""Longest wait of a command for an answer; without an answer it ends with an error."""
WAITING = "PENDING"
FIELDS = "%i|%T|%L|%V|%j|%k|%Z"
"""Id, state, time left, time of submission, name, comment and work folder, which alone may hold a `|`."""

# ---------------------------------------------------------------- the job that this process runs in


@dataclass(frozen=True)
class JobTimes:
    """Start of a job and the time at which SLURM will end it, in seconds since 1970."""

    start: float = -inf
    end: float = inf

    def is_late(self, moment: float) -> bool:
        """True when more than half of it was over at a moment."""
        return moment - self.start > self.end - moment


def job_id() -> str | None:
    """Number of the SLURM job that this process is a part of."""
    return os.environ.get(JOB_VARIABLE)


def job_times() -> JobTimes:
    """Start and end of this job; it has no end where there is no job, or where SLURM does not say."""
    if not (job := job_id()):
        return JobTimes()
    times = (_answer_or_none(["squeue", "--noheader", f"--jobs={job}", "--format=%S %e"]) or "").split()
    if len(times) == 2 and all(map(str.isdigit, times)):
        return JobTimes(*map(float, times))
    print(f"SLURM does not say when job {job} ends, so the step can't save its state before it does.", flush=True)
    return JobTimes()


def requeue() -> bool:
    """Put this job back into the queue; True where SLURM has done so, and will end it now.

    A job that is being ended already is left alone: it was cancelled, its time is over, or SLURM requeues it itself.
    """
    job = job_id()
    if not job or SUBMITTED_VARIABLE not in os.environ:
        return False
    shown = _answer_or_none(["scontrol", "show", "job", job])
    return bool(shown) and _may_be_requeued(shown) and _answer_or_none(["scontrol", "requeue", job]) is not None


def _may_be_requeued(shown: str) -> bool:
    """Whether a job, as scontrol shows it, runs, or was preempted with `PreemptMode=CANCEL`."""
    fields = dict(field.split("=", 1) for field in shown.split() if "=" in field)
    preempted = fields.get("PreemptTime", "None")  # it does not count where it is of an earlier start of the job
    is_preempted = preempted[:1].isdigit() and preempted >= fields.get("StartTime", "")
    return fields.get("JobState") == "RUNNING" or is_preempted


def _answer_or_none(command: Sequence[str]) -> str | None:
    """Return the output of a command of SLURM, with times as seconds since 1970, or None where it fails."""
    environment = os.environ | {"SLURM_TIME_FORMAT": "%s"}
    try:
        return _run(command, timeout=STEP_ANSWER_SECONDS, environment=environment)
    except (OSError, subprocess.SubprocessError):
        return None


# ---------------------------------------------------------------- jobs that were submitted from a folder


@dataclass(frozen=True)
class SlurmJob:
    """A job of this folder in the queue."""

    id: str
    state: str
    time_left: str
    submitted: str
    comment: str

    @property
    def runs(self) -> bool:
        """False while it has not begun."""
        return self.state != WAITING


def jobs_here() -> list[SlurmJob]:
    """Jobs of this user that Snakemake has submitted from this folder and that have not ended, in their order.

    Raises:
        UserError: SLURM does not answer.
    """
    answer = _answer(["squeue", "--noheader", "--user", str(os.getuid()), "--format", FIELDS])
    return parse_jobs(answer, Path.cwd())


def parse_jobs(answer: str, folder: Path) -> list[SlurmJob]:
    """The jobs among squeue's lines that Snakemake has submitted from a folder."""
    found = []
    for line in answer.splitlines():
        fields = line.split("|", maxsplit=FIELDS.count("|"))
        if len(fields) != FIELDS.count("|") + 1:
            continue  # the comment of a job of somebody's own has a line feed
        job, state, left, submitted, name, comment, place = fields
        of_snakemake = compat.SLURM_JOB_NAME.fullmatch(name) and comment.startswith(compat.SLURM_COMMENT)
        if of_snakemake and Path(place).resolve() == folder.resolve():
            found.append(SlurmJob(job, state, left, submitted, comment))
    return found


def job_targets(job: SlurmJob) -> list[tuple[str, dict[str, str]]]:
    """Rule and wildcards of all that a job makes, several in a group of rules; empty where it has just ended."""
    try:
        return compat.targets_of_script(_answer(["scontrol", "write", "batch_script", job.id, "-"]))
    except UserError:
        return []


def cancel(jobs: Iterable[SlurmJob]) -> None:
    """Ask SLURM to end jobs; those that waited when they were listed are left alone if they have begun since.

    Raises:
        UserError: SLURM does not answer.
    """
    found = list(jobs)
    for options, ids in (
        (["--state", WAITING], [job.id for job in found if not job.runs]),
        ([], [job.id for job in found if job.runs]),
    ):
        if ids:
            _answer(["scancel", "--quiet", *options, *ids])


def _answer(command: Sequence[str]) -> str:
    """Return the output of a command of SLURM.

    Raises:
        UserError: it fails, or does not answer in time.
    """
    try:
        return _run(command, timeout=ANSWER_SECONDS)
    except FileNotFoundError:
        raise UserError(
            f"There is no `{command[0]}` on this machine; run this where SLURM can be asked, or "
            "`python -m mtpeft jobs --forget` if you know that no job of this folder is left."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"SLURM does not answer `{command[0]}`; try again later.") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise UserError(f"SLURM refuses `{command[0]}`: {said[-1]}") from None


def _run(command: Sequence[str], *, timeout: float, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=True)
    return done.stdout


# ---------------------------------------------------------------- submissions that SLURM refuses

SUBMISSION_ERROR = re.compile(
    r"SLURM (?:sbatch failed|job submission failed)[^\n]*?The error message was (?P<said>.*?)"
    r"(?=\n    sbatch call:|\n?For further error details|\Z)",
    flags=re.DOTALL,
)
"""An error message of Snakemake's plugin for SLURM about one job, or about an array of jobs."""
SBATCH_PREFIX = re.compile(r"^\s*sbatch: (?:error: )?", flags=re.MULTILINE)
LASTING = re.compile(r"invalid|not permitted|not available|violates|exceeds|unrecognized", flags=re.IGNORECASE)
"""Words in messages of SLURM after which another try is useless."""


def submission_errors(messages: Iterable[str]) -> list[str]:
    """A sentence for each reason for which SLURM has refused jobs, given the error messages of Snakemake."""
    found = (error["said"] for message in messages for error in SUBMISSION_ERROR.finditer(message))
    return [
        f"SLURM refuses jobs: {reason}. Mend what the profile asks for, such as slurm_partition, slurm_account or "
        "runtime, and start again."
        for reason in dict.fromkeys(map(_on_one_line, found))
    ]


def is_mistake(errors: Iterable[str]) -> bool:
    """Whether the user has to change something before submitting again is of use."""
    return any(LASTING.search(error) for error in errors)


def _on_one_line(said: str) -> str:
    """Join the lines that sbatch has printed, without its own name at the beginning of each."""
    lines = SBATCH_PREFIX.sub("", said.strip().removesuffix(".").strip("'")).splitlines()
    return "; ".join(line.strip().removesuffix(".") for line in lines if line.strip())
