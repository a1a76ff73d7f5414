"""The lock of a results folder: one sweep or one Snakemake works in it at a time, on whatever machine.

A kernel lock (`flock`) shows for certain whether a holder on this machine lives. A shared file system may have no such
locks, so for a holder on another machine the age of the record is used: the holder refreshes it as long as it lives.

We do not use the library filelock. Its kernel lock truncates the file, which is our record, and its `SoftFileLease`
waits for the full timeout even if the holder was killed on this machine. Neither records who held the folder last and
whether jobs on a cluster were left behind, and importing it takes half of the time that `mtpeft --help` may take.
"""

import atexit
import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from mtpeft.cluster.slurm import jobs_here
from mtpeft.core.errors import UserError

RECORD = Path("results/.sweep")
LOCK_VARIABLE = "MTPEFT_FOLDER_LOCK"
"""Tells the Snakemake of a sweep that the sweep holds the lock for it."""
HEARTBEAT_SECONDS = 15.0
SILENCE_SECONDS = 180.0
"""A holder on another machine that has not refreshed its record for so long is dead."""
PATIENCE_SECONDS = 1.0
UNRECOVERED = (
    "Jobs of a run that was killed may run on, or have finished since; run `python -m mtpeft jobs --wait` (or "
    "--cancel, or --forget where there is no SLURM to ask) first, which looks after them."
)


@dataclass(frozen=True)
class Holder:
    """The holder of the lock, or the last one, with whether its jobs on a cluster may run on without it.

    Attributes:
        pid: its process.
        host: where that runs.
        started: seconds since the epoch.
        submitted: when the first of the jobs that may run on was submitted.
        configuration: hash of the configuration that these jobs belong to.
        needs_recovery: True while jobs may run on that nobody has waited for or cancelled.
        ended: whether it has released the lock by itself.
        snakemake_was_killed: whether its Snakemake was, so that the lock of that may be there still.
        seen: when it last refreshed the record, in seconds since the epoch.
        lives: whether it holds the lock now.
    """

    pid: int
    host: str
    started: float
    submitted: float
    configuration: str = ""
    needs_recovery: bool = False
    ended: bool = False
    snakemake_was_killed: bool = False
    seen: float = 0.0
    lives: bool = False

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        silent = max(time.time() - self.seen, 0.0)
        state = "it lives" if self.lives else "it has ended" if self.ended else "it is dead"
        sign = f"{silent:.0f} seconds" if silent < 2 * SILENCE_SECONDS else f"{silent / 60:.0f} minutes"
        return f"process {self.pid} on {self.host}, started {started}; {state}, last sign of life {sign} ago"


@dataclass
class FolderLock:
    """The lock while we hold it.

    Attributes:
        stream: the open file that the kernel's lock is on.
        holder: what the record says about us; about jobs that need recovery, what the last holder left.
        last_was_killed: whether the last holder or its Snakemake was killed.
    """

    stream: IO[str]
    holder: Holder
    last_was_killed: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a Snakemake that is started under this lock."""
        return {LOCK_VARIABLE: str(self.holder.pid)}

    def update(self, **changes: Any) -> None:
        """Change fields of the record."""
        self.holder = replace(self.holder, **changes)
        record = {name: value for name, value in asdict(self.holder).items() if name not in ("seen", "lives")}
        self.stream.seek(0)
        self.stream.truncate()
        self.stream.write(json.dumps(record))
        self.stream.flush()

    def begin_submissions(self, configuration: str, *, cluster: bool) -> None:
        """Note that jobs are submitted from now on, of the configuration with this hash; earlier ones are recovered."""
        self.update(submitted=time.time(), configuration=configuration, needs_recovery=cluster)


@contextlib.contextmanager
def lock_folder() -> Iterator[FolderLock]:
    """Hold the lock of this folder, and refresh its record until the block ends.

    Jobs that the last holder left behind are ours to recover.

    Raises:
        UserError: somebody else holds it; the message names them.
    """
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a+", encoding="utf-8") as stream:
        has_locks = _take_kernel_lock(stream)
        last = _read(stream, False if has_locks else None)
        if last and last.lives:
            raise UserError(_refusal(last))
        now = time.time()
        own = replace(last or Holder(0, "", now, now), pid=os.getpid(), host=socket.gethostname(), started=now)
        last_was_killed = last is not None and (last.snakemake_was_killed or not last.ended)
        lock = FolderLock(stream, own, last_was_killed)
        lock.update(ended=False, snakemake_was_killed=False)
        done = threading.Event()
        threading.Thread(target=_refresh_until, args=(done,), daemon=True).start()
        try:
            yield lock
        finally:
            done.set()
            lock.update(ended=True)


def lock_folder_until_exit(configuration: str, *, cluster: bool) -> None:
    """Hold the lock for a Snakemake that was started directly, unless a sweep holds it for it.

    Args:
        configuration: hash of what is run.
        cluster: whether its jobs are submitted, so that they may run on without it.

    Raises:
        UserError: somebody else holds it, or jobs of a killed run have to be recovered first.
    """
    if LOCK_VARIABLE in os.environ:
        return
    held = contextlib.ExitStack()
    lock = held.enter_context(lock_folder())
    atexit.register(held.close)
    if lock.holder.needs_recovery:
        raise UserError(UNRECOVERED)
    lock.begin_submissions(configuration, cluster=cluster)
    atexit.register(_note_jobs_left, lock, cluster)


def read_holder() -> Holder | None:
    """The holder of this folder's lock, dead or alive, or None where nobody ever held it. Writes nothing."""
    try:
        with RECORD.open(encoding="utf-8") as stream:
            return _read(stream, _has_kernel_lock(stream))
    except FileNotFoundError:
        return None


def why_not_free() -> str:
    """Say why Snakemake can't be started directly in this folder now; empty where it can."""
    holder = None if LOCK_VARIABLE in os.environ else read_holder()
    if holder is None:
        return ""
    return _refusal(holder) if holder.lives else UNRECOVERED if holder.needs_recovery else ""


def _note_jobs_left(lock: FolderLock, cluster: bool) -> None:
    """Note whether jobs were left: those that were cancelled take a moment to save their state."""
    with contextlib.suppress(UserError):
        lock.update(needs_recovery=cluster and bool(jobs_here()))


def _take_kernel_lock(stream: IO[str]) -> bool:
    """Take the kernel's lock; False where the file system has none. `read_holder` takes it for an instant, too.

    Raises:
        UserError: somebody else has it.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                raise UserError(_refusal(_read(stream, True))) from None
        except OSError:
            return False
        time.sleep(PATIENCE_SECONDS / 10)


def _has_kernel_lock(stream: IO[str]) -> bool | None:
    """Whether somebody has the kernel's lock, or None where the file system has none."""
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _read(stream: IO[str], locked: bool | None) -> Holder | None:
    """The record as far as it can be read, with the age of its file and whether its holder lives."""
    stream.seek(0)
    text = stream.read()
    if not text and not locked:
        return None
    try:
        found = Holder(**json.loads(text))
    except (json.JSONDecodeError, TypeError):
        found = Holder(0, "an unknown machine", 0.0, 0.0)
    seen = os.fstat(stream.fileno()).st_mtime
    return replace(found, seen=seen, lives=locked or _may_live(found, seen, has_locks=locked is not None))


def _may_live(holder: Holder, seen: float, *, has_locks: bool) -> bool:
    """Whether a holder that has no kernel lock may live: on this machine it can't, if the file system has locks."""
    if holder.ended or time.time() - seen > SILENCE_SECONDS:
        return False
    if holder.host != socket.gethostname():
        return True
    return not has_locks and Path(f"/proc/{holder.pid}").exists()


def _refresh_until(done: threading.Event) -> None:
    """Refresh the record until we are done; a file system that is away for a moment is tried again."""
    while not done.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(RECORD)


def _refusal(holder: Holder | None) -> str:
    return (
        f"Another sweep works in this folder ({holder or 'it has just begun'}); wait for it, or stop it and start "
        "again. `make status` and `make preview` can be used beside it."
    )
