"""Signals of a step, and its death with the process that started it, so that a killed sweep leaves no writers."""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that ask a step to stop; SLURM sends the last one when the time of a job is nearly over."""
PARENT_VARIABLE = "MTPEFT_PARENT"
"""Process of the Snakemake that starts the steps, so that a step knows whether it lives yet."""


def die_with_parent(parent: int | None = None) -> None:
    """Ask the Linux kernel to kill this process when its parent dies; elsewhere the lock on the state must do.

    The parent of a step is Snakemake itself, since the rules start their command with `exec`. Where it died while this
    process was still starting, nobody would tell us, so its number is compared, if it is known.
    """
    if sys.platform != "linux":
        return
    import ctypes

    parent = parent or int(os.environ.get(PARENT_VARIABLE, os.getppid()))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent and not _is_alive(parent):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
