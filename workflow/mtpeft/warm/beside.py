"""Keep a warm process beside a sweep, for its jobs."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mtpeft.config.environment import shared_variables
from mtpeft.parent import die_with_parent
from mtpeft.warm.client import ADDRESS_VARIABLE

LOG = Path("logs/warm.log")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Lets no library start threads while it is loaded, since forks would be without them."""


@contextlib.contextmanager
def warm_process() -> Iterator[dict[str, str]]:
    """Start it on Linux; yields the variable by which jobs find it. Where it does not live, they start by themselves.

    It dies with the sweep, and is in a session of its own, so that Ctrl-C reaches the sweep alone.
    """
    name = f"mtpeft-{secrets.token_hex(8)}"
    process = _start(name) if sys.platform == "linux" else None
    if process is None:
        yield {}
        return
    try:
        yield {ADDRESS_VARIABLE: name}
    finally:
        process.kill()
        process.wait()


def _start(name: str) -> subprocess.Popen[bytes] | None:
    """Start it under a name; nothing where there is no room for another process or its log."""
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "mtpeft", "warm", "--name", name],
                env={**os.environ, **shared_variables(), **ONE_THREAD},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
    except OSError:
        return None
