"""Have a running sweep priced: at its start, and again when its models and its text are there."""

import contextlib
import threading
from dataclasses import dataclass, field

from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.front.watch.expected import Expected, write_expected
from mtpeft.front.watch.look import Watch

TRAININGS = ("train", "search_rate")


@dataclass
class Pricing:
    """Writes the prices of a sweep, in a thread, since those of thousands of cells take a minute.

    Attributes:
        configuration: of the sweep.
        watch: its jobs.
        at_once: number of jobs that run side by side; 0 where a cluster decides.
    """

    configuration: Configuration
    watch: Watch
    at_once: int
    _thread: threading.Thread | None = None
    _trains: bool = False
    _expected: Expected = field(default_factory=Expected)

    def report(self) -> None:
        """Begin a pricing where one is due; to be called often."""
        if self._thread is not None and self._thread.is_alive():
            return
        trains = any(job.rule in TRAININGS for job in self.watch.jobs.by_id.values())
        if self._thread is None or trains > self._trains:
            self._trains = trains
            self._thread = threading.Thread(target=self._price, daemon=True)
            self._thread.start()

    def _price(self) -> None:
        # Where a record vanishes while it is read, or the disk is full, the earlier prices do.
        with contextlib.suppress(OSError, UserError):
            before = self._expected.seconds
            self._expected = write_expected(self.configuration, self.watch.results, at_once=self.at_once, before=before)
