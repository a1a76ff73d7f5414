"""Show the progress of a training: a bar on a terminal, a line every ten seconds in a log, and a file for watchers."""

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tqdm import tqdm

from mtpeft.core.progress_file import TrainingProgress, write_progress
from mtpeft.training.launch import prints

LOG_SECONDS = 10.0
FILE_SECONDS = 5.0
"""Least time between two writings of the file, except after an evaluation."""


@dataclass
class ProgressBar:
    """The loss, the tokens per second and the time left of a training.

    Args:
        updates: number of all updates.
        done: number of updates that were made before this process.
        folder: where the file for watchers goes.
        history: step and dev score of each evaluation so far; the training adds to it.
    """

    updates: int
    done: int
    folder: Path
    history: list[dict[str, float]]
    _bar: tqdm | None = field(default=None, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _last: float = field(default_factory=time.monotonic, init=False)
    _written: float = field(default=-math.inf, init=False)
    _loss: float | None = field(default=None, init=False)
    _tokens: int = field(default=0, init=False)
    _steps: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and prints():
            self._bar = tqdm(total=self.updates, initial=self.done, unit="update", dynamic_ncols=True)
        self._write()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, loss: float, tokens: int) -> None:
        """Count one update."""
        self._tokens += tokens
        self._steps += 1
        self._loss = loss
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.3f}, {self._rate:,.0f} tokens/s", refresh=False)
            self._bar.update()
        elif time.monotonic() - self._last > LOG_SECONDS:
            self._last = time.monotonic()
            made, speed = self.done + self._steps, f"{self._rate:,.0f} tokens/s"
            self.say(f"update {made}/{self.updates}, loss {loss:.3f}, {speed}, {self._left:.0f} s left")
        if time.monotonic() - self._written > FILE_SECONDS:
            self._write()

    def evaluated(self, score: float, best: float) -> None:
        """Say the dev score that the model has now, and the best one so far."""
        self.say(f"update {self.done + self._steps}: dev score {score:.3f}, best {best:.3f}")
        self._write()

    def say(self, message: str) -> None:
        """Print a line without breaking the bar."""
        if prints():
            tqdm.write(message, file=sys.stderr)
            sys.stderr.flush()

    @property
    def _rate(self) -> float:
        """Target tokens per second of this process."""
        return self._tokens / max(1e-9, time.monotonic() - self._started)

    @property
    def _left(self) -> float:
        """Seconds until the last update, by the updates of this process."""
        per_step = (time.monotonic() - self._started) / self._steps
        return per_step * (self.updates - self.done - self._steps)

    def _write(self) -> None:
        if not prints():
            return
        self._written = time.monotonic()
        scores = [entry["score"] for entry in self.history]
        progress = TrainingProgress(
            update=self.done + self._steps,
            updates=self.updates,
            loss=self._loss,
            tokens_per_second=round(self._rate, 1),
            dev_score=scores[-1] if scores else None,
            best_dev_score=max(scores, default=None),
            seconds_left=round(self._left, 1) if self._steps else None,
            written=time.time(),
        )
        write_progress(self.folder, progress)
