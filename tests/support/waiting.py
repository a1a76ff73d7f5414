"""Wait until something is so. No test passes since a wait is short, so all are as long as a busy machine may need."""

import time
from collections.abc import Callable
from typing import Any

LONG = 3600.0
"""Seconds after which a sweep or a step that was started has gone wrong, on a machine five times slower than ours."""
SOON = 120.0
"""The same for what follows at once, such as the end of a process that was killed."""


def wait_for(condition: Callable[[], Any], seconds: float = 1500) -> None:
    """Ask again and again; an error after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
