"""Let a step die with the process that started it, so that a killed sweep leaves no second writers behind."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the Linux kernel to kill this process when its parent dies; elsewhere the lock on the state must do.

    The parent is Snakemake itself, since the rules start their command with `exec`. If it is gone already, so are we.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
