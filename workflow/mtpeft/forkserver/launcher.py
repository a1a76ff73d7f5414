"""Start a fork server beside a sweep, for its jobs."""

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

LOG = Path("logs/fork_server.log")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Keeps libraries from starting threads while they are loaded, since forks would not have them."""


@contextlib.contextmanager
def fork_server() -> Iterator[dict[str, str]]:
    """Run the fork server of the steps while this is open; yields the variable by which they find it."""
    with background_server(ADDRESS_VARIABLE, _command, LOG) as variables:
        yield variables


@contextlib.contextmanager
def background_server(
    variable: str, command: Callable[[str], Sequence[str]], log: Path, extra: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """Run a process that forks for jobs while this is open, on Linux. Elsewhere jobs start by themselves.

    It dies with the sweep, and is in a session of its own, so that Ctrl-C reaches the sweep alone.

    Args:
        variable: environment variable by which jobs find it; it is yielded with its value.
        command: gives the command that starts it, from the name under which it listens.
        log: file of what it prints.
        extra: environment variables that it is started with, as jobs are.
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
    return [sys.executable, "-m", "mtpeft", "fork_server", "--name", name]


def _start(command: Sequence[str], log: Path, extra: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """Start the process; returns None where the system allows no other process, or its log can't be written."""
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
