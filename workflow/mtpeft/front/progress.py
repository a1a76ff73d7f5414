"""While a sweep runs: how many cells are finished, how long the others will take, figures of what is there."""

import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells
from mtpeft.front.preview import PREVIEW
from mtpeft.front.status import finished_records

INTERVAL_SECONDS = 60.0
DRAWING_SECONDS = 600.0
"""Least time between two drawings, which take up to half a minute of a core that could train."""
POLITENESS = 10
"""Niceness of drawing beside the trainers."""


@dataclass
class Progress:
    """Says every minute how far a sweep is, and has the previews drawn anew every few minutes.

    Attributes:
        configuration: of the sweep.
        overlays: files laid over the configuration, for the process that draws.
    """

    configuration: Configuration
    overlays: Sequence[Path]
    _said: float = field(default_factory=time.monotonic)
    _since: tuple[float, frozenset[Cell]] | None = None
    _drawn: float = field(default_factory=time.monotonic)
    _drawing: subprocess.Popen[bytes] | None = None

    def tell(self) -> None:
        """Print a line if a minute has gone by; to be called often."""
        if time.monotonic() - self._said < INTERVAL_SECONDS:
            return
        self._said = time.monotonic()
        finished = self._finished()
        print(self._line(finished), flush=True)
        if finished and time.monotonic() - self._drawn > DRAWING_SECONDS:
            self.stop()
            self._drawing, self._drawn = self._draw(), time.monotonic()

    def stop(self) -> None:
        """End a drawing that is under way."""
        if self._drawing and self._drawing.poll() is None:
            self._drawing.kill()
            self._drawing.wait()

    def _finished(self) -> dict[Cell, float]:
        """Seconds that each finished cell took, from the records that show it: the next look may find none."""
        seen = ((cell, finished_records(self.configuration, cell)) for cell in all_cells(self.configuration))
        return {cell: cost_of(records) for cell, records in seen if records}

    def _line(self, finished: Mapping[Cell, float]) -> str:
        cells = all_cells(self.configuration)
        told = f"mtpeft: {len(finished)} of {len(cells)} cells are finished"
        left = self._left(cells, finished)
        if left is None:
            return f"{told}."
        return f"{told}, about {left / 60:.0f} minutes left; figures of these: {PREVIEW}/"

    def _left(self, cells: Collection[Cell], finished: Mapping[Cell, float]) -> float | None:
        """Seconds left, by what was finished since the first new cell was seen: text and base models came before it."""
        if self._since is None or not finished:
            self._since = (time.monotonic(), frozenset(finished)) if finished else None
            return None
        begun, before = self._since
        now, missing = set(finished) - before, set(cells) - set(finished)
        return seconds_left(finished, now, missing, elapsed=time.monotonic() - begun)

    def _draw(self) -> subprocess.Popen[bytes]:
        files = ["--configfile", *map(str, self.overlays)] if self.overlays else []
        command = ["nice", "-n", str(POLITENESS), sys.executable, "-m", "mtpeft", "preview", *files]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cost_of(records: Mapping[str, Mapping[str, Any]]) -> float:
    """Seconds that a finished cell took to train and to decode, given its records by step."""
    return records["train"]["train_seconds"] + records["decode"]["decode_seconds"]


def seconds_left(
    costs: Mapping[Cell, float], now: Collection[Cell], missing: Collection[Cell], *, elapsed: float
) -> float | None:
    """Time that missing cells will take, or None while no cell has been finished `now`.

    A missing cell costs what finished ones of its model and size did, else what all did; `elapsed` seconds for those
    finished `now` tell how many run at once and what starting them costs.
    """
    spent = sum(costs[cell] for cell in now)
    if not spent:
        return None
    alike: dict[tuple[str, str], list[float]] = {}
    for cell, cost in costs.items():
        alike.setdefault((cell.model, cell.size), []).append(cost)
    overall = mean(costs.values())
    expected = sum(mean(alike.get((cell.model, cell.size), [overall])) for cell in missing)
    return expected * elapsed / spent
