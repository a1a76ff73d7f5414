"""Stop in time: a signal has come, the allocation ends, or the time budget is used up.

Work that can be stopped polls a `PreemptionHandler` as often as it can, between updates and batches of decoding.
The handler learns how long it takes from one poll to the next and how long saving takes, and stops so long before the
end of an allocation that both fit in twice. While libraries and models are loaded there is nothing to save, and a
reason to stop ends that at once.
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
QUICK_SECONDS = 1.0
"""A state that is saved in less time is saved after every evaluation as well."""
SAVING_SHARE = 0.05
"""Share of the time that savings may take; a state that takes longer is saved more rarely than `save_interval` says."""
MIN_MARGIN_SECONDS = 10.0
"""Time to end in, besides what the handler has learnt: for the attempt log, SLURM, this process and its parents."""
TIME, BUDGET = "time", "time budget"
"""Kinds of reasons: the allocation ends; the user's own limit is reached."""

SignalHandler = Callable[[int, FrameType | None], None] | signal.Handlers


@dataclass(frozen=True)
class StopReason:
    """A reason to stop.

    Attributes:
        kind: a word or two for the attempt log.
        message: words for people.
    """

    kind: str
    message: str


class TimeToStopError(BaseException):
    """There is a reason to stop; what was begun since the last update is done again in the next attempt.

    It is no `Exception`, since libraries catch those while they are loaded.
    """

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.message)
        self.reason = reason


@dataclass
class PreemptionHandler:
    """Says when to save and when to stop, and counts the updates of this attempt.

    Attributes:
        end: of the allocation, in seconds since 1970.
        time_budget: seconds that this process may use.
        save_interval: seconds between two savings of the state.
        agree: makes the decision of this process that of the first of the processes that train together.
        on_resume: is called with the update from which the attempt goes on, whenever that is known better.
        loading: True until there is something to save.
        signalled: name of the signal that has come.
        from_update: update at which this attempt began.
        updates: number of updates of this attempt.
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
        """Stop if there is a reason to; to be called as often as the work can be stopped.

        Raises:
            TimeToStopError: there is a reason to stop.
        """
        now = time.monotonic()
        self._longest_poll, self._polled = max(self._longest_poll, now - self._polled), now
        if reason := self.agree(self.reason_to_stop()):
            raise TimeToStopError(reason)

    def reason_to_stop(self) -> StopReason | None:
        """Return the reason to stop, or None while the work may go on."""
        if self.signalled:
            return StopReason(f"signal {self.signalled.removeprefix('SIG')}", f"signal {self.signalled}")
        if self.elapsed() > self.time_budget:
            return StopReason(BUDGET, f"the time budget of {self.time_budget:g} s is used up")
        if time.time() > self.end - self.margin():
            return StopReason(TIME, f"the time limit is reached in {max(0.0, self.end - time.time()):.0f} s")
        return None

    def margin(self) -> float:
        """Seconds before the end of the allocation at which to stop."""
        return MIN_MARGIN_SECONDS + 2 * (self._longest_poll + self._longest_save)

    def elapsed(self) -> float:
        """Seconds since this process began the attempt."""
        return time.monotonic() - self._started

    def resumed(self, updates: int) -> None:
        """Count updates that were made before this attempt, in whichever part of the work it goes on with."""
        self._polled, self.loading = time.monotonic(), False
        self.from_update += updates
        self.on_resume(self.from_update)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Keep a block from being left half done: a reason to stop takes effect at the next poll after it."""
        loading, self.loading = self.loading, False
        yield
        self.loading = loading

    def updated(self, updates: int) -> None:
        """Count updates of this attempt."""
        self.updates += updates

    @property
    def update(self) -> int:
        """Number of updates of all attempts."""
        return self.from_update + self.updates

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Learn from a block that saves the state how long saving takes."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._longest_save = max(self._longest_save, self._saved - began)

    def save_is_due(self) -> bool:
        """Whether the last saved state is as old as the interval, or as old as savings that take long have to be."""
        interval = max(self.save_interval, self._longest_save / SAVING_SHARE)
        return self.agree(time.monotonic() - self._saved >= interval)

    def saving_is_quick(self) -> bool:
        """Whether saving takes so little time that it may be done more often than at the interval."""
        return self.agree(self._longest_save < QUICK_SECONDS)


@contextmanager
def handle_signals(handler: PreemptionHandler) -> Iterator[None]:
    """Have signals that ask a process to stop take effect at the handler's next poll, or at once while it loads.

    Raises:
        TimeToStopError: there is a reason to stop while it loads.
    """

    def remember(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            handler.signalled = signal.Signals(number).name
        if handler.loading and (reason := handler.reason_to_stop()):
            raise TimeToStopError(reason)

    with _handling((*SIGNALS, signal.SIGALRM), remember):
        if handler.end < inf:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, handler.end - handler.margin() - time.time()))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Let nothing disturb the end of a process that has been asked to stop."""
    with _handling(SIGNALS, signal.SIG_IGN):
        yield


@contextmanager
def _handling(numbers: Sequence[signal.Signals], handler: SignalHandler) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def interruptible(work: str) -> Iterator[Callable[[], None]]:
    """Run a block that keeps no state; yields the function that it has to call as often as it can be stopped.

    Args:
        work: what is done, in words, for the message of an error.

    Raises:
        StoppedError: a signal or the time budget has stopped it.
        TryAgainError: the time of the allocation is over.
    """
    handler = PreemptionHandler(end=job_times().end)
    try:
        with handle_signals(handler):
            yield handler.poll
    except TimeToStopError as stop:
        if stop.reason.kind == TIME:
            said = f"{work} was not finished in its time ({stop}); the next try begins anew and needs a longer one"
            raise TryAgainError(said, why=TIME) from None
        raise StoppedError(f"{work} was stopped: {stop}; the next start begins anew", why=stop.reason.kind) from None
