"""The attempt log of a training: each start of a trainer is an entry of a file beside the checkpoint.

An entry has `started`, `host`, `pid`, `slurm_job` and `from_update`, which is null until the checkpoint is read; when
the attempt ends, `ended`, `to_update` and `why` as well. The entry of a trainer that is killed stays without an end.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtpeft.cluster.preemption import TIME, PreemptionHandler, TimeToStopError, handle_signals, ignore_signals
from mtpeft.cluster.slurm import JobTimes, job_id, job_times, requeue
from mtpeft.core.errors import StoppedError, TryAgainError
from mtpeft.core.files import write_text
from mtpeft.training.launch import prints

ATTEMPTS_FILE = "attempts.json"
FINISHED = "finished"
WORTH_REQUEUEING = (TIME, "signal USR1", "signal TERM")
"""Ends of an attempt after which the same job may go on: its time limit, a warning of it, or preemption."""

Entry = dict[str, Any]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class Attempt:
    """One start of a trainer, with the entries of those before it.

    Attributes:
        file: of the attempt log.
        preemption: of this attempt.
        job: when its SLURM job began and when it ends.
        entries: of all attempts; that of this one is the last.
        started: when this attempt began.
    """

    file: Path
    preemption: PreemptionHandler
    job: JobTimes
    entries: list[Entry] = field(default_factory=list)
    started: str = field(default_factory=_now)

    def begin(self) -> None:
        """Log that the attempt has begun, and from which update on it trains as soon as that is known."""
        place = {"host": socket.gethostname(), "pid": os.getpid(), "slurm_job": job_id()}
        own = {"started": self.started, **place, "from_update": None}
        self.entries = [*read_attempts(self.file.parent), own]
        self.preemption.on_resume = self._go_on
        self._write()

    def end(self, why: str) -> list[Entry]:
        """Log how the attempt has ended; returns all entries."""
        self.entries[-1] |= {"ended": _now(), "to_update": self.preemption.update, "why": why}
        self._write()
        return self.entries

    def may_be_requeued(self) -> bool:
        """Return whether the attempt ended because of time and would come further if its job were started again.

        It would where it has made updates, or where other steps had used most of the allocation before it, once.
        """
        *earlier, own = self.entries
        late = self.job.is_late(_seconds(own["started"])) and all(map(has_advanced, earlier[-1:]))
        return own.get("why") in WORTH_REQUEUEING and (has_advanced(own) or late)

    def _go_on(self, update: int) -> None:
        if self.entries[1:] and self.entries[-1]["from_update"] is None:
            print(f"The last attempt {end_of(self.entries[-2])}; this one goes on at update {update}.", flush=True)
        self.entries[-1]["from_update"] = update
        self._write()

    def _write(self) -> None:
        write_text(self.file, json.dumps(self.entries, indent=2) + "\n")


@contextlib.contextmanager
def attempting(state: Path) -> Iterator[Attempt]:
    """Hold the state folder of a training, poll for signals and limits, and log the attempt, while this is open.

    Of several processes that train together the first one writes and decides.

    Raises:
        TryAgainError: another process trains here, memory or disk space did not suffice, or there was a reason to stop.
    """
    from mtpeft.core.machine_failures import resource_failures
    from mtpeft.training.checkpoint import only_writer
    from mtpeft.training.distributed import of_the_first

    job = job_times()
    attempt = Attempt(state / ATTEMPTS_FILE, PreemptionHandler(end=job.end, agree=of_the_first), job)
    if not prints():
        with _following(), resource_failures(), handle_signals(attempt.preemption):
            yield attempt
        return
    # Failures are named inside, for the log, and outside, since writing the log may find the disk full.
    with resource_failures(), only_writer(state):
        attempt.begin()
        with _logged(attempt), resource_failures(), handle_signals(attempt.preemption):
            yield attempt


@contextlib.contextmanager
def starting(state: Path) -> Iterator[None]:
    """Load the libraries of training while this is open: an attempt that ends here already is logged as well.

    Raises:
        StoppedError: there was a reason to stop.
    """
    job = job_times()
    attempt = Attempt(state / ATTEMPTS_FILE, PreemptionHandler(end=job.end), job)
    try:
        with handle_signals(attempt.preemption):
            yield
    except TimeToStopError as stop:
        if not prints():
            raise _stopped(stop) from None
        attempt.begin()
        with _logged(attempt):
            raise stop


@contextlib.contextmanager
def _logged(attempt: Attempt) -> Iterator[None]:
    """Log what ends an attempt, and put its job back into the queue if it may go on there."""
    try:
        yield
    except BaseException as error:
        stopped = _stopped(error) if isinstance(error, TimeToStopError) else error
        with ignore_signals():
            with contextlib.suppress(OSError):
                attempt.end(stopped.why if isinstance(stopped, TryAgainError) else "error")
            if attempt.may_be_requeued() and requeue():
                print(f"SLURM job {job_id()} goes back into the queue, and then on from the saved state.", flush=True)
        if stopped is error:
            raise
        raise stopped from None


@contextlib.contextmanager
def _following() -> Iterator[None]:
    """Stop a rank that trains together with the one that keeps the log."""
    try:
        yield
    except TimeToStopError as stop:
        raise _stopped(stop) from None


def _stopped(stop: TimeToStopError) -> StoppedError:
    return StoppedError(f"stopped before any update of this attempt: {stop}", why=stop.reason.kind)


def state_folder(record: Path) -> Path:
    """Return the state folder of the training that writes a record."""
    return record.parent / "state"


def search_state_of(record: Path) -> Path:
    """Return the state folder of a search, which lies beside those of other searches."""
    return record.with_name(f".{record.stem}")


def read_attempts(state: Path) -> list[Entry]:
    """Return the entries of the attempts so far, the first one first."""
    file = state / ATTEMPTS_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def has_advanced(entry: Entry) -> bool:
    """Return whether an attempt has made updates and saved them."""
    return entry.get("to_update") is not None and entry["to_update"] > (entry["from_update"] or 0)


def end_of(entry: Entry) -> str:
    """Say how an attempt has ended, in words."""
    where = f"on {entry['host']}, begun {entry['started']}"
    why = entry.get("why")
    if why is None:
        return f"({where}) ended without a word: killed, by its memory limit or with its node"
    done = f"({where}) ended at update {entry['to_update']}"
    return f"{done}: its time was over" if why == TIME else f"{done}: {why}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
