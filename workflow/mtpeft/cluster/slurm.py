"""The jobs that Snakemake has submitted to SLURM from this folder, with what each of them makes."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.cells import DIMENSIONS
from mtpeft.core.errors import UserError

FIELDS = "%i|%T|%L|%V|%j|%k|%Z"
"""Id, state, time left, time of submission, name, comment and work folder, which alone may hold a `|`."""
NAME = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Snakemake names all jobs of a run by a UUID, with a prefix where the profile has one."""
COMMENT = "rule_"
"""What the comment of its jobs begins with."""
WAITING = "PENDING"
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Made:
    """What one rule makes in a job: the rule, and its wildcards by name."""

    rule: str
    wildcards: dict[str, str]

    def __str__(self) -> str:
        """The labels, with slashes, in the order of the folders; of a rule without wildcards its name says all."""
        first = [self.wildcards[name] for name in DIMENSIONS if name in self.wildcards]
        return "/".join([*first, *(value for name, value in self.wildcards.items() if name not in DIMENSIONS)])


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
    answer = _ask(["squeue", "--noheader", "--user", str(os.getuid()), "--format", FIELDS])
    return parse_jobs(answer, Path.cwd())


def parse_jobs(answer: str, folder: Path) -> list[SlurmJob]:
    """The jobs among squeue's lines that Snakemake has submitted from a folder."""
    found = []
    for line in answer.splitlines():
        fields = line.split("|", maxsplit=FIELDS.count("|"))
        if len(fields) != FIELDS.count("|") + 1:
            continue  # a comment of somebody's own with a line feed
        job, state, left, submitted, name, comment, place = fields
        if NAME.fullmatch(name) and comment.startswith(COMMENT) and Path(place).resolve() == folder.resolve():
            found.append(SlurmJob(job, state, left, submitted, comment))
    return found


def made_by(job: SlurmJob) -> list[Made]:
    """What a job makes, by its script: one rule, or several of a group; empty where it has just ended."""
    try:
        return parse_script(_ask(["scontrol", "write", "batch_script", job.id, "-"]))
    except UserError:
        return []


def parse_script(script: str) -> list[Made]:
    """What Snakemake's script for a job makes: its targets are `rule:wildcard=value,…`."""
    try:
        words = iter(shlex.split(script, comments=True))
    except ValueError:
        return []  # no script of Snakemake's
    if "--target-jobs" not in words:
        return []
    found = []
    for word in words:
        if word.startswith("--"):
            break
        rule, _, wildcards = word.partition(":")
        found.append(Made(rule, dict(re.findall(r'(\w+)="?([^,"]*)"?', wildcards))))
    return found


def cancel(jobs: Iterable[SlurmJob]) -> None:
    """Ask SLURM to end jobs; those that waited when they were seen are left alone if they have begun meanwhile.

    Raises:
        UserError: SLURM does not answer.
    """
    found = list(jobs)
    for options, ids in (
        (["--state", WAITING], [job.id for job in found if not job.runs]),
        ([], [job.id for job in found if job.runs]),
    ):
        if ids:
            _ask(["scancel", "--quiet", *options, *ids])


def _ask(command: Sequence[str]) -> str:
    """What a command of SLURM says.

    Raises:
        UserError: it fails, or does not answer in time.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS)
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
    return done.stdout
