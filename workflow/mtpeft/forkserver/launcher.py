"""Keep a warm process beside a sweep, for its jobs."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mtpeft.cluster.environment import shared_variables
from mtpeft.core.process import die_with_parent
from mtpeft.forkserver.client import ADDRESS_VARIABLE

LOG = Path("logs/warm.log")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Lets no library start threads while it is loaded, since forks would be without them."""


@contextlib.contextmanager
def warm_process() -> Iterator[dict[str, str]]:
    """Start the process of the steps; yields the variable by which they find it."""
    with kept_process(ADDRESS_VARIABLE, _command, LOG) as variables:
        yield variables


@contextlib.contextmanager
def kept_process(
    variable: str, command: Callable[[str], Sequence[str]], log: Path, extra: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """Start a process that forks for jobs, on Linux. Where it does not live, they start by themselves.

    It dies with the sweep, and is in a session of its own, so that Ctrl-C reaches the sweep alone.

    Args:
        variable: by which jobs find it; it is yielded with its value.
        command: from the name under which it listens to the command that starts it.
        log: where what it says goes.
        extra: variables that it is started with, as jobs are.
    """
    name = f"mtpeft-{secrets.token_hex(8)}"
    process = _start(command(name), log, extra or {}) if sys.platform == "linux" else None
    if process is None:
        yield {}
        return
    try:
        yield {variable: name}
    finally:
        process.kill()
        process.wait()


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "mtpeft", "warm", "--name", name]


def _start(command: Sequence[str], log: Path, extra: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """Start it; nothing where there is no room for another process or its log."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as said:
            return subprocess.Popen(
                command,
                env={**os.environ, **shared_variables(), **ONE_THREAD, **extra},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
    except OSError:
        return None
