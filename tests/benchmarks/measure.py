"""Measurements: clocks, memory, and processes of their own in which both begin anew."""

import json
import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from mtpeft.cluster.preemption import PreemptionHandler

PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 2**20


@dataclass(frozen=True)
class Reading:
    """The clocks of this process, in seconds: its processor time, all threads together, and the time of the day."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Measurement:
    """What one process has measured.

    Attributes:
        amount: of what was done: tokens, or sentences.
        cpu: seconds of processor time.
        wall: seconds.
        megabytes: largest memory of the process, or on a GPU of its tensors.
        added: the same beyond what the loaded libraries take.
        on_gpu: whether it was measured on a GPU.
        more: what else was found.
    """

    amount: float
    cpu: float
    wall: float
    megabytes: float
    added: float
    on_gpu: bool
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds that are compared: those of the processor, which others can't prolong, or on a GPU of the clock."""
        return self.wall if self.on_gpu else self.cpu


def read_clocks() -> Reading:
    """Read the clocks, when a GPU has done all that it was asked to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return Reading(time.process_time(), time.monotonic())


def resident() -> float:
    """Return the resident memory of this process in megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE / MEGABYTE


def peak() -> float:
    """Return the largest memory so far in megabytes: of the tensors on a GPU, or of the process."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Lap:
    """The clocks and the memory between two updates of a training.

    Args:
        first: number of updates before it begins, in which libraries do what they do once.
        last: number of updates after which it ends.
        begin: is called at its beginning.
        end: is called at its end.
    """

    first: int
    last: int
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    updates: list[int] = field(default_factory=list, init=False)
    readings: list[Reading] = field(default_factory=list, init=False)
    peak: float = field(default=0.0, init=False)
    before: float = field(default_factory=resident, init=False)

    def after(self, update: int) -> None:
        """Note that so many updates were made; some trainings count several at once."""
        if len(self.readings) == 0 and update >= self.first:
            self._note(update)
            self.begin()
        elif len(self.readings) == 1 and update >= self.last:
            self.end()
            self._note(update)
            self.peak = peak()

    def measured(self, tokens: int, **more: Any) -> Measurement:
        """Return the measurement, given the tokens of the updates in the lap."""
        return between(*self.readings, tokens, before=self.before, most=self.peak, more=more)

    def _note(self, update: int) -> None:
        self.updates.append(update)
        self.readings.append(read_clocks())


class LapHandler(PreemptionHandler):
    """Tells a lap of each update of our training, which is neither stopped nor saved while it is timed."""

    def __init__(self, lap: Lap) -> None:
        super().__init__(time_budget=float("inf"), save_interval=float("inf"))
        self.lap = lap

    def updated(self, *counted: int) -> None:
        """Count an update, or so many of them."""
        super().updated(*counted)
        self.lap.after(self.updates)


def timed(work: Callable[[], tuple[int, Mapping[str, Any]]]) -> Measurement:
    """Measure some work, which returns how much was done and what else was found."""
    before, begun = resident(), read_clocks()
    amount, more = work()
    return between(begun, read_clocks(), amount, before=before, most=peak(), more=more)


def between(
    begun: Reading, ended: Reading, amount: float, *, before: float, most: float, more: Mapping[str, Any]
) -> Measurement:
    """Return the measurement of what was done between two readings.

    Args:
        begun: first reading.
        ended: second reading.
        amount: of what was done.
        before: megabytes that the libraries take.
        most: largest memory in megabytes.
        more: what else was found.
    """
    on_gpu = torch.cuda.is_initialized()
    added = most if on_gpu else most - before
    return Measurement(amount, ended.cpu - begun.cpu, ended.wall - begun.wall, most, added, on_gpu, more)


def apart(function: Callable[..., Measurement], *arguments: Any) -> Measurement:
    """Return what a function measures in a fork of this process, which has its libraries and nothing else.

    Raises:
        SystemExit: it failed; it has said why.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        said = receiver.recv_bytes()
    except EOFError:
        said = b""
    process.join()
    if not said:
        raise SystemExit(f"The measurement of {function.__module__}.{function.__name__} failed.")
    return Measurement(**json.loads(said))


def _send(sender: Connection, function: Callable[..., Measurement], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send_bytes(json.dumps(asdict(function(*arguments))).encode())
    except BaseException:
        traceback.print_exc()
        raise SystemExit(1) from None
