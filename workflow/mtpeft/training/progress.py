"""Show the progress of a training: a bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from dataclasses import dataclass, field
from typing import Self

from tqdm import tqdm

from mtpeft.training.launch import prints

LOG_SECONDS = 10.0


@dataclass
class ProgressBar:
    """The loss, the tokens per second and the time left of a training.

    Args:
        updates: number of all updates.
        done: number of updates that were made before this process.
    """

    updates: int
    done: int = 0
    _bar: tqdm | None = field(default=None, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _last: float = field(default_factory=time.monotonic, init=False)
    _tokens: int = field(default=0, init=False)
    _steps: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and prints():
            self._bar = tqdm(total=self.updates, initial=self.done, unit="update", dynamic_ncols=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, loss: float, tokens: int) -> None:
        """Count one update."""
        self._tokens += tokens
        self._steps += 1
        rate = f"{self._tokens / max(1e-9, time.monotonic() - self._started):,.0f} tokens/s"
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.3f}, {rate}", refresh=False)
            self._bar.update()
        elif time.monotonic() - self._last > LOG_SECONDS:
            self._last = time.monotonic()
            self.say(f"update {self.done + self._steps}/{self.updates}, loss {loss:.3f}, {rate}, {self._left()} left")

    def say(self, message: str) -> None:
        """Print a line without breaking the bar."""
        if prints():
            tqdm.write(message, file=sys.stderr)
            sys.stderr.flush()

    def _left(self) -> str:
        per_step = (time.monotonic() - self._started) / self._steps
        return f"{per_step * (self.updates - self.done - self._steps):.0f} s"
