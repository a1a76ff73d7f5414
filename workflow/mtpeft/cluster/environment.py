"""What the steps inherit from the Snakemake that starts them."""

import os
import signal
import sys
import uuid
from pathlib import Path

from mtpeft.cluster.slurm import RUN_VARIABLE, SUBMITTED_VARIABLE
from mtpeft.core.process import PARENT_VARIABLE

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Lets glibc keep the memory of one update for the next: without it small models train about 8 % slower."""
PACKAGE_FOLDER = Path(__file__).parents[2]


def shared_variables() -> dict[str, str]:
    """Variables with which every step starts: this Python, activated or not, this package, and how memory is kept.

    Asked for again where they hold already, they stay the same.
    """
    places = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(PACKAGE_FOLDER)}
    return {name: _first(place, os.environ.get(name, "")) for name, place in places.items()} | {
        name: os.environ.get(name, value) for name, value in ALLOCATOR.items()
    }


def share_python(*, submitted: bool = False) -> None:
    """Let every step inherit them from this process, which is Snakemake, here or in a job that it has submitted."""
    os.environ.update(shared_variables())
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    os.environ.setdefault(RUN_VARIABLE, uuid.uuid4().hex)
    if submitted:
        # SLURM sends it to all processes of a job, to say that its time is nearly over: it is for the trainer alone.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        os.environ[SUBMITTED_VARIABLE] = "yes"


def _first(place: str, places: str) -> str:
    """Places with one of them at the front, once."""
    return os.pathsep.join([place, *(other for other in places.split(os.pathsep) if other not in ("", place))])
