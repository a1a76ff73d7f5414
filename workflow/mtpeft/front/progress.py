"""While a sweep runs: how many cells are finished, how long the others will take, figures of what is there."""

import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from mtpeft.cells import Cell, OnPair
from mtpeft.config.schema import Configuration
from mtpeft.core.text_tables import tally
from mtpeft.core.warnings import warn
from mtpeft.front.status import finished_records
from mtpeft.front.text_warnings import text_warnings
from mtpeft.steps.cells_of_studies import all_cells, all_others, preview_folder

INTERVAL_SECONDS = 60.0
DRAWING_SECONDS = 600.0
"""Least time between two drawings, which take up to half a minute of a core that could train."""
POLITENESS = 10
"""Niceness of drawing beside the trainers."""
Work = Cell | OnPair
"""The training of a cell, or its decoding of the test sets of a pair."""


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
    _since: tuple[float, frozenset[Work]] | None = None
    _drawn: float = field(default_factory=time.monotonic)
    _drawing: subprocess.Popen[bytes] | None = None
    _warned: set[str] = field(default_factory=set)

    def tell(self) -> None:
        """Print a line if a minute has gone by; to be called often."""
        if time.monotonic() - self._said < INTERVAL_SECONDS:
            return
        self._said = time.monotonic()
        self.warn()
        finished = self._finished()
        print(self._line(finished), flush=True)
        if finished and time.monotonic() - self._drawn > DRAWING_SECONDS:
            self.stop()
            self._drawing, self._drawn = self._draw(), time.monotonic()

    def warn(self) -> None:
        """Print what a user should know of the text, each sentence once, as soon as it is known."""
        new = [warning for warning in text_warnings(self.configuration) if warning not in self._warned]
        self._warned.update(new)
        warn(new)

    def stop(self) -> None:
        """End a drawing that is under way."""
        if self._drawing and self._drawing.poll() is None:
            self._drawing.kill()
            self._drawing.wait()

    def _finished(self) -> dict[Work, float]:
        """Seconds that all finished work took, from the records that show it: the next look may find none."""
        found: dict[Work, float] = {}
        for cell in all_cells(self.configuration):
            own = {measured: finished_records(self.configuration, *measured) for measured in cell.measured}
            if all(own.values()):
                found |= {measured: records["decode"]["decode_seconds"] for measured, records in own.items() if records}
                found[cell] = next(iter(filter(None, own.values())))["train"]["train_seconds"]
        for other in all_others(self.configuration):
            if records := finished_records(self.configuration, *other):
                found[other] = records["decode"]["decode_seconds"]
        return found

    def _line(self, finished: Mapping[Work, float]) -> str:
        cells, others = all_cells(self.configuration), all_others(self.configuration)
        done = ((sum(work in finished for work in wanted), len(wanted)) for wanted in (cells, others))
        told = f"mtpeft: {tally(*done)} are finished"
        left = self._left([*cells, *(measured for cell in cells for measured in cell.measured), *others], finished)
        if left is None:
            return f"{told}."
        return f"{told}, about {left / 60:.0f} minutes left; figures of these: {preview_folder(self.configuration)}/"

    def _left(self, wanted: Collection[Work], finished: Mapping[Work, float]) -> float | None:
        """Seconds left, by what was finished since the first new cell was seen: text and base models came before it."""
        if self._since is None or not finished:
            self._since = (time.monotonic(), frozenset(finished)) if finished else None
            return None
        begun, before = self._since
        now, missing = set(finished) - before, set(wanted) - set(finished)
        return seconds_left(finished, now, missing, elapsed=time.monotonic() - begun)

    def _draw(self) -> subprocess.Popen[bytes]:
        files = ["--configfile", *map(str, self.overlays)] if self.overlays else []
        command = ["nice", "-n", str(POLITENESS), sys.executable, "-m", "mtpeft", "preview", *files]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds_left(
    costs: Mapping[Work, float], now: Collection[Work], missing: Collection[Work], *, elapsed: float
) -> float | None:
    """Time that missing work will take, or None while nothing has been finished `now`.

    It costs what finished work of its kind did, else what all did; `elapsed` seconds for that finished `now` tell how
    much runs at once and what starting it costs.
    """
    spent = sum(costs[work] for work in now)
    if not spent:
        return None
    alike: dict[tuple[str, ...], list[float]] = {}
    for work, cost in costs.items():
        alike.setdefault(_kind(work), []).append(cost)
    overall = mean(costs.values())
    expected = sum(mean(alike.get(_kind(work), [overall])) for work in missing)
    return expected * elapsed / spent


def _kind(work: Work) -> tuple[str, ...]:
    """What decides how long it takes: model and size of a training, the model of a decoding."""
    return (work.model, work.size) if isinstance(work, Cell) else (work.cell.model,)
