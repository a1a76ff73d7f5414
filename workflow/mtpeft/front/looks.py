"""How often Snakemake looks for jobs that it can start."""

import time
from collections.abc import Callable


def one_at_a_time(look_after: Callable[[float], None]) -> Callable[[float], None]:
    """A function that looks again after so many seconds, unless such a look is on its way already."""
    due = 0.0

    def look_once_after(seconds: float) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + seconds
            look_after(seconds)

    return look_once_after
