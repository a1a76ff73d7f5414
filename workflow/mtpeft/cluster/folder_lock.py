"""Who works in a results folder: one sweep or one Snakemake at a time, wherever it runs.

A kernel lock says for certain whether a holder on this machine lives. For one on another machine, where a shared file
system may have no such locks, the age of the record tells: its holder refreshes it for as long as it lives.
"""

import atexit
import contextlib
import fcntl
import hashlib
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
from mtpeft.config.models import EXECUTION
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError

RECORD = Path("results/.sweep")
HOLDER_VARIABLE = "MTPEFT_HOLDER"
"""Tells the Snakemake of a sweep that the folder is held for it."""
HEARTBEAT_SECONDS = 15.0
SILENCE_SECONDS = 180.0
"""A holder on another machine that has not refreshed its record for so long is dead."""
PATIENCE_SECONDS = 1.0
UNSETTLED = (
    "Jobs of a run that was killed may run on, or have finished since; run `python -m mtpeft jobs --wait` (or "
    "--cancel, or --forget where there is no SLURM to ask) first, which looks after them."
)


@dataclass(frozen=True)
class Holder:
    """Who holds a folder, or held it last, and whether jobs of a cluster may run on without it.

    Attributes:
        pid: its process.
        host: where that runs.
        started: seconds since the epoch.
        since: when jobs were first submitted that may run on.
        configuration: hash of the configuration that they are of.
        settled: False while jobs may run on that nobody has looked after.
        ended: whether it has let go by itself.
        seen: when it last gave a sign of life, in seconds since the epoch.
        lives: whether it holds the folder now.
    """

    pid: int
    host: str
    started: float
    since: float
    configuration: str = ""
    settled: bool = True
    ended: bool = False
    seen: float = 0.0
    lives: bool = False

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        silent = max(time.time() - self.seen, 0.0)
        state = "it lives" if self.lives else "it has ended" if self.ended else "it is dead"
        sign = f"{silent:.0f} seconds" if silent < 2 * SILENCE_SECONDS else f"{silent / 60:.0f} minutes"
        return f"process {self.pid} on {self.host}, started {started}; {state}, last sign of life {sign} ago"


@dataclass
class Hold:
    """A folder that is held: the open file with the lock, and what it says of us."""

    stream: IO[str]
    holder: Holder

    @property
    def variables(self) -> dict[str, str]:
        """What tells a Snakemake that is started under this hold."""
        return {HOLDER_VARIABLE: str(self.holder.pid)}

    def update(self, **changes: Any) -> None:
        """Write into the record what has changed."""
        self.holder = replace(self.holder, **changes)
        told = {name: value for name, value in asdict(self.holder).items() if name not in ("seen", "lives")}
        self.stream.seek(0)
        self.stream.truncate()
        self.stream.write(json.dumps(told))
        self.stream.flush()

    def submit(self, configuration: Configuration, *, cluster: bool) -> None:
        """Say that jobs are submitted from now on; what was submitted before has been settled."""
        self.update(since=time.time(), configuration=hash_of(configuration), settled=not cluster)


@contextlib.contextmanager
def holding() -> Iterator[Hold]:
    """Hold this folder, and give a sign of life every few seconds. What the last holder left unsettled is ours.

    Raises:
        UserError: somebody else does, whom the sentence names.
    """
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a+", encoding="utf-8") as stream:
        locks = _lock(stream)
        former = _read(stream, False if locks else None)
        if former and former.lives:
            raise UserError(_refusal(former))
        now = time.time()
        hold = Hold(stream, replace(former or Holder(0, "", now, now), pid=os.getpid(), host=_host(), started=now))
        hold.update(ended=False)
        done = threading.Event()
        threading.Thread(target=_beat, args=(done,), daemon=True).start()
        try:
            yield hold
        finally:
            done.set()
            hold.update(ended=True)


def hold_until_exit(configuration: Configuration, *, cluster: bool) -> None:
    """Hold this folder for a Snakemake that was started directly, unless a sweep holds it for it.

    Raises:
        UserError: somebody else holds it, or jobs of a run before may run on.
    """
    if HOLDER_VARIABLE in os.environ:
        return
    held = contextlib.ExitStack()
    hold = held.enter_context(holding())
    atexit.register(held.close)
    if not hold.holder.settled:
        raise UserError(UNSETTLED)
    hold.submit(configuration, cluster=cluster)
    atexit.register(_let_go, hold, cluster)


def find_holder() -> Holder | None:
    """The holder of this folder, dead or alive, or None where nobody ever held it. Writes nothing."""
    try:
        with RECORD.open(encoding="utf-8") as stream:
            return _read(stream, _is_locked(stream))
    except FileNotFoundError:
        return None


def told_of_holder() -> str:
    """A sentence for somebody who starts Snakemake directly while the folder is not free; empty where it is."""
    holder = None if HOLDER_VARIABLE in os.environ else find_holder()
    if holder is None:
        return ""
    return _refusal(holder) if holder.lives else "" if holder.settled else UNSETTLED


def hash_of(configuration: Configuration) -> str:
    """Hash of all of a configuration that results depend on."""
    told = configuration.model_dump_json(exclude={"models": dict.fromkeys(configuration.models, EXECUTION)})
    return hashlib.sha256(told.encode()).hexdigest()


def _let_go(hold: Hold, cluster: bool) -> None:
    """Say whether jobs were left: those that were cancelled take a moment to save their state."""
    with contextlib.suppress(UserError):
        hold.update(settled=not cluster or not jobs_here())


def _lock(stream: IO[str]) -> bool:
    """Take the kernel's lock; False where the file system has none. Somebody who only looks has it for an instant.

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


def _is_locked(stream: IO[str]) -> bool | None:
    """Whether somebody has the kernel's lock, or None where the file system has none."""
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _read(stream: IO[str], locked: bool | None) -> Holder | None:
    """What a record says, as far as it can be read, with the age of the file and whether its holder lives."""
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
    """Whether a holder without the lock lives: on this machine none does if there are locks."""
    if holder.ended or time.time() - seen > SILENCE_SECONDS:
        return False
    if holder.host != _host():
        return True
    return not has_locks and Path(f"/proc/{holder.pid}").exists()


def _host() -> str:
    return socket.gethostname()


def _beat(done: threading.Event) -> None:
    """Refresh the record until told to stop; a file system that is away for a moment is tried again."""
    while not done.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(RECORD)


def _refusal(holder: Holder | None) -> str:
    return (
        f"Another sweep works in this folder ({holder or 'it has just begun'}); wait for it, or stop it and start "
        "again. `make status` and `make preview` can be used beside it."
    )
