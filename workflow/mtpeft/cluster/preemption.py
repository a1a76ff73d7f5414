"""Preemption: stop in time when a signal has come, the allocation ends, or the time budget is used up.

Work that may have to stop polls a clock as often as it can, between updates and between batches of decoding. The clock
measures the time between polls and the duration of saving, and stops so long before the end of an allocation that both
fit in twice. While libraries and models are loaded there is nothing to save, and a reason to stop ends that at once.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from types import FrameType
from typing import Any

from mtpeft.cluster.slurm import job_times
from mtpeft.core.errors import StoppedError, TryAgainError
from mtpeft.core.process import SIGNALS

TIME_BUDGET_VARIABLE = "MTPEFT_SECONDS"
SAVE_INTERVAL_VARIABLE = "MTPEFT_SAVE_SECONDS"
LEAST_MARGIN_SECONDS = 10.0
"""Time to end in, besides what the clock has measured: for the attempt log, SLURM, this process and its parents."""
TIME, BUDGET = "time", "time budget"
"""The allocation ends; the user's own limit is reached."""

Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@dataclass(frozen=True)
class Reason:
    """A reason to stop.

    Attributes:
        why: a word or two for the attempt log.
        said: words for messages.
    """

    why: str
    said: str


class TimeToStopError(BaseException):
    """Is raised where there is a reason to stop; what was begun since the last update is done anew.

    It is no `Exception`, since libraries catch those while they are loaded.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.said)
        self.reason = reason


@dataclass
class Clock:
    """Says when to save and why to stop, and counts how far this attempt has come.

    Attributes:
        end: of the allocation, in seconds since 1970.
        time_budget: seconds that this process may use.
        save_interval: seconds between two savings of the state.
        agree: replaces what this process decides by what the first of those decides that train together.
        on_resume: gets the update from which on the attempt trains, whenever it is known better.
        loading: True until there is something to save.
        signalled: name of the signal that has come.
        from_update: where this attempt began.
        updates: how many it has made.
    """

    end: float = inf
    time_budget: float = field(default_factory=lambda: float(os.environ.get(TIME_BUDGET_VARIABLE, "inf")))
    save_interval: float = field(default_factory=lambda: float(os.environ.get(SAVE_INTERVAL_VARIABLE, "20")))
    agree: Callable[[Any], Any] = lambda decision: decision
    on_resume: Callable[[int], None] = lambda update: None
    loading: bool = True
    signalled: str = ""
    from_update: int = 0
    updates: int = 0
    _started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)
    _polled: float = field(default_factory=time.monotonic)
    _longest_poll: float = 0.0
    _longest_save: float = 0.0

    def poll(self) -> None:
        """Stop if there is a reason; is to be called as often as the work can stop.

        Raises:
            TimeToStopError: there is a reason to stop.
        """
        now = time.monotonic()
        self._longest_poll, self._polled = max(self._longest_poll, now - self._polled), now
        if reason := self.agree(self.reason_to_stop()):
            raise TimeToStopError(reason)

    def reason_to_stop(self) -> Reason | None:
        """Return the reason to stop, or None while the work may go on."""
        if self.signalled:
            return Reason(f"signal {self.signalled.removeprefix('SIG')}", f"signal {self.signalled}")
        if self.elapsed() > self.time_budget:
            return Reason(BUDGET, f"the time budget of {self.time_budget:g} s is used up")
        if time.time() > self.end - self.margin():
            return Reason(TIME, f"the time limit is reached in {max(0.0, self.end - time.time()):.0f} s")
        return None

    def margin(self) -> float:
        """Return the seconds before the end of the allocation at which to stop."""
        return LEAST_MARGIN_SECONDS + 2 * (self._longest_poll + self._longest_save)

    def elapsed(self) -> float:
        """Return the seconds since this process has begun."""
        return time.monotonic() - self._started

    def resumed(self, updates: int) -> None:
        """Count updates that earlier attempts have made of the part of the work that is done now."""
        self._polled, self.loading = time.monotonic(), False
        self.from_update += updates
        self.on_resume(self.from_update)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Keep what must not be left half done from being stopped: a reason to stop counts at the next poll."""
        loading, self.loading = self.loading, False
        yield
        self.loading = loading

    def updated(self) -> None:
        """Count one update of this attempt."""
        self.updates += 1

    @property
    def update(self) -> int:
        """Number of the updates that all attempts have made."""
        return self.from_update + self.updates

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure how long it takes to save the state."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._longest_save = max(self._longest_save, self._saved - began)

    def save_is_due(self) -> bool:
        """Return whether the last saved state is as old as the interval."""
        return self.agree(time.monotonic() - self._saved >= self.save_interval)


@contextmanager
def handling_signals(clock: Clock) -> Iterator[None]:
    """Turn the signals that ask a process to stop into a reason to stop at the clock's next poll, or while it loads.

    Raises:
        TimeToStopError: there is a reason to stop while it loads.
    """

    def remember(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            clock.signalled = signal.Signals(number).name
        if clock.loading and (reason := clock.reason_to_stop()):
            raise TimeToStopError(reason)

    with _handling((*SIGNALS, signal.SIGALRM), remember):
        if clock.end < inf:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, clock.end - clock.margin() - time.time()))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Keep further signals from disturbing a process that is about to end."""
    with _handling(SIGNALS, signal.SIG_IGN):
        yield


@contextmanager
def _handling(numbers: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def stopping(work: str) -> Iterator[Callable[[], None]]:
    """Yield the function that work without a state calls as often as it can be stopped; messages call the work `work`.

    Raises:
        TryAgainError: its time limit is reached. A stop by a signal is no failure, and raises a `StoppedError`.
    """
    clock = Clock(end=job_times().end)
    try:
        with handling_signals(clock):
            yield clock.poll
    except TimeToStopError as stop:
        if stop.reason.why == TIME:
            said = f"{work} was not finished in its time ({stop}); the next try begins anew and needs a longer one"
            raise TryAgainError(said, why=TIME) from None
        raise StoppedError(f"{work} was stopped: {stop}; the next start begins anew", why=stop.reason.why) from None
