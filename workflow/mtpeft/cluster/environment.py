"""Environment variables that every step inherits from the Snakemake that starts it."""

import os
import signal
import sys
import uuid
from pathlib import Path

from mtpeft.cluster.slurm import RUN_VARIABLE, SUBMITTED_VARIABLE
from mtpeft.core.process import PARENT_VARIABLE

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Has glibc keep the memory of one update for the next: without it small models train about 8 % slower."""
PACKAGE_FOLDER = Path(__file__).parents[2]


def shared_variables() -> dict[str, str]:
    """Variables that put this Python and this package first on the paths of a step, and have memory kept.

    They stay the same where they are set already.
    """
    places = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(PACKAGE_FOLDER)}
    return {name: _with_first(place, os.environ.get(name, "")) for name, place in places.items()} | {
        name: os.environ.get(name, value) for name, value in ALLOCATOR.items()
    }


def share_python(*, submitted: bool = False) -> None:
    """Set the variables in this process, which is a Snakemake, so that its steps inherit them.

    Args:
        submitted: whether it runs inside of a job that another Snakemake has submitted.
    """
    os.environ.update(shared_variables())
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    os.environ.setdefault(RUN_VARIABLE, uuid.uuid4().hex)
    if submitted:
        # SLURM sends it to all processes of a job when its time is nearly over; the trainer alone has to act on it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        os.environ[SUBMITTED_VARIABLE] = "yes"


def _with_first(place: str, places: str) -> str:
    """A list of folders with one of them moved to the front."""
    return os.pathsep.join([place, *(other for other in places.split(os.pathsep) if other not in ("", place))])
