"""Know when to stop: a signal has come, the allocation ends, or the time budget is used up.

What has to stop looks at a clock as often as it can, between updates and between batches of decoding. The clock learns
how long that takes and how long saving does, and stops so long before the end of an allocation that both fit in twice.
While libraries and models are loaded there is nothing to save, and a reason to stop ends that at once.
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
"""Time to end in, beside what the clock has learnt: the record of the attempt, SLURM, this process and its parents."""
TIME, BUDGET = "time", "time budget"
"""The allocation ends; the user's own limit is reached."""

Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@dataclass(frozen=True)
class Reason:
    """Why to stop: a word or two for the record of attempts, and words for people."""

    why: str
    said: str


class TimeToStopError(BaseException):
    """There is a reason to stop; what was begun since the last update is done anew.

    No `Exception`, since libraries catch those while they are loaded.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.said)
        self.reason = reason


@dataclass
class Clock:
    """When to save and why to stop, and how far this attempt has come.

    Attributes:
        end: of the allocation, in seconds since 1970.
        time_budget: seconds that this process may use.
        save_interval: seconds between two savings of the state.
        agree: has what this process decides be what the first of those decides that train together.
        on_resume: is told from which update on the attempt trains, whenever that is known better.
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
    _looked: float = field(default_factory=time.monotonic)
    _longest_look: float = 0.0
    _longest_save: float = 0.0

    def look(self) -> None:
        """To be called as often as one can stop.

        Raises:
            TimeToStopError: there is a reason to.
        """
        now = time.monotonic()
        self._longest_look, self._looked = max(self._longest_look, now - self._looked), now
        if reason := self.agree(self.reason_to_stop()):
            raise TimeToStopError(reason)

    def reason_to_stop(self) -> Reason | None:
        """Nothing while training may go on."""
        if self.signalled:
            return Reason(f"signal {self.signalled.removeprefix('SIG')}", f"signal {self.signalled}")
        if self.elapsed() > self.time_budget:
            return Reason(BUDGET, f"the time budget of {self.time_budget:g} s is used up")
        if time.time() > self.end - self.margin():
            return Reason(TIME, f"the time limit is reached in {max(0.0, self.end - time.time()):.0f} s")
        return None

    def margin(self) -> float:
        """Seconds before the end of the allocation at which to stop."""
        return LEAST_MARGIN_SECONDS + 2 * (self._longest_look + self._longest_save)

    def elapsed(self) -> float:
        """Seconds since the start of this process's run."""
        return time.monotonic() - self._started

    def resumed(self, updates: int) -> None:
        """Count updates that were made before this attempt, of whatever part of the work it goes on with now."""
        self._looked, self.loading = time.monotonic(), False
        self.from_update += updates
        self.on_resume(self.from_update)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Around what must not be left half done: a reason to stop is heard at the next look."""
        loading, self.loading = self.loading, False
        yield
        self.loading = loading

    def updated(self) -> None:
        """Count one update of this attempt."""
        self.updates += 1

    @property
    def update(self) -> int:
        """How many updates have been made in all."""
        return self.from_update + self.updates

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around each saving of the state: learns how long it takes."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._longest_save = max(self._longest_save, self._saved - began)

    def save_is_due(self) -> bool:
        """True when the last state is as old as the interval."""
        return self.agree(time.monotonic() - self._saved >= self.save_interval)


@contextmanager
def watching(clock: Clock) -> Iterator[None]:
    """Turn the signals that ask a process to stop into a reason to stop at the clock's next look, or while it loads.

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
def unheard_signals() -> Iterator[None]:
    """Let nothing disturb the end of a process that has been asked to stop."""
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
    """Around work that keeps no state, which is named in words: what it has to call as often as it can be stopped.

    Raises:
        TryAgainError: its time is over; that it was stopped by a signal is no failure, and a `StoppedError`.
    """
    clock = Clock(end=job_times().end)
    try:
        with watching(clock):
            yield clock.look
    except TimeToStopError as stop:
        if stop.reason.why == TIME:
            said = f"{work} was not finished in its time ({stop}); the next try begins anew and needs a longer one"
            raise TryAgainError(said, why=TIME) from None
        raise StoppedError(f"{work} was stopped: {stop}; the next start begins anew", why=stop.reason.why) from None
