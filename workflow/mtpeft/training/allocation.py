"""What SLURM says of the allocation that a step runs in. Outside of one it says nothing, and nothing is asked."""

import os
import subprocess
from math import inf

JOB_VARIABLE = "SLURM_JOB_ID"
END_VARIABLE = "SLURM_JOB_END_TIME"
PATIENCE_SECONDS = 30


def job_id() -> str | None:
    """Number of the SLURM job that this process is a part of."""
    return os.environ.get(JOB_VARIABLE)


def allocation_end() -> float:
    """When SLURM will end this job, in seconds since 1970; infinite outside of SLURM, and where it does not say.

    Snakemake's plugin takes SLURM's variables out of the environment of its steps, so that SLURM has to be asked.
    """
    if not job_id():
        return inf
    said = os.environ.get(END_VARIABLE) or _ask("squeue", "--noheader", "--jobs", job_id() or "", "--format=%e")
    return float(said) if said.isdigit() else inf


def _ask(*command: str) -> str:
    """What a command of SLURM prints, with times as seconds since 1970; nothing where it fails."""
    environment = os.environ | {"SLURM_TIME_FORMAT": "%s"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
