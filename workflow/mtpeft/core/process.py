"""Let a step die with the process that started it, so that a killed sweep leaves no second writers behind."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "MTPEFT_PARENT"
"""Process of the Snakemake that starts the steps, so that a step knows whether it lives yet."""


def die_with_parent(parent: int | None = None) -> None:
    """Ask the Linux kernel to kill this process when its parent dies; elsewhere the lock on the state must do.

    The parent of a step is Snakemake itself, since the rules start their command with `exec`. Where it died while this
    process was still starting, nobody would tell us, so its number is compared, if it is known.
    """
    if sys.platform != "linux":
        return
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
