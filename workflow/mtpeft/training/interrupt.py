"""Know when to stop: a signal has come, or the time budget is used up."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
TIME_BUDGET_VARIABLE = "MTPEFT_SECONDS"
SAVE_INTERVAL_VARIABLE = "MTPEFT_SAVE_SECONDS"


@dataclass
class Clock:
    """When to save, and why to stop."""

    time_budget: float = field(default_factory=lambda: float(os.environ.get(TIME_BUDGET_VARIABLE, "inf")))
    save_interval: float = field(default_factory=lambda: float(os.environ.get(SAVE_INTERVAL_VARIABLE, "20")))
    signalled: str = ""
    _started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)

    def reason_to_stop(self) -> str:
        """Empty while training may go on."""
        if self.signalled:
            return f"signal {self.signalled}"
        if self.elapsed() > self.time_budget:
            return f"the time budget of {self.time_budget:g} s is used up"
        return ""

    def elapsed(self) -> float:
        """Seconds since the start of this process's run."""
        return time.monotonic() - self._started

    def save_is_due(self) -> bool:
        """True once per interval."""
        if time.monotonic() - self._saved < self.save_interval:
            return False
        self._saved = time.monotonic()
        return True


@contextmanager
def watching() -> Iterator[Clock]:
    """Turn the signals that ask a process to stop into a reason to stop at the next update."""
    clock = Clock()

    def remember(number: int, frame: object) -> None:
        clock.signalled = signal.Signals(number).name

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield clock
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
