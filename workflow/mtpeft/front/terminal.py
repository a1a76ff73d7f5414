"""What a sweep says while it runs: a bar on a terminal; in a pipe plain lines, without control characters."""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mtpeft.core.text_tables import tally
from mtpeft.front.watch.jobs import SeenJob
from mtpeft.front.watch.lines import SCORED, finished_line, running_line
from mtpeft.front.watch.look import Seen, Watch

REPORT_SECONDS = 60.0
"""Time between two lines about how far a sweep is, in a pipe."""
LOOK_SECONDS = 1.0
"""Time between two looks, after each of which the bar is drawn anew."""
LOOK_SHARE = 0.02
"""Most of the time that may go into looks."""
MOST_RUNNING = 8
"""Jobs that run, of which a line is shown."""
PLANNING = "Snakemake counts the jobs"


class Display(Protocol):
    """Shows what was seen of a sweep, and lines that stay."""

    def show(self, seen: Seen, watch: Watch) -> None:
        """Show how far the sweep is now."""

    def say(self, line: str) -> None:
        """Print a line that stays."""

    def close(self) -> None:
        """Leave nothing but the lines that stay."""


@dataclass
class Reporter:
    """Reports jobs that have ended, and how far a sweep is.

    Attributes:
        watch: of the sweep.
        display: where it is shown.
        every_job: whether each job is reported when it has ended, and not each cell.
    """

    watch: Watch
    display: Display
    every_job: bool
    _next: float = -math.inf

    def report(self) -> None:
        """Report what is new if a second has gone by, or more where a look takes long; to be called often."""
        if time.monotonic() >= self._next:
            self.report_all()

    def report_all(self) -> None:
        """Report what is new."""
        begun = time.monotonic()
        seen, ended = self.watch.look()
        self._next = begun + max(LOOK_SECONDS, (time.monotonic() - begun) / LOOK_SHARE)
        for line in self._lines(seen, ended):
            self.display.say(line)
        self.display.show(seen, self.watch)

    def _lines(self, seen: Seen, ended: list[SeenJob]) -> Iterator[str]:
        done = len(self.watch.jobs.ended())
        scored = sum(job.rule == "score" for job in ended)
        for place, job in enumerate(ended):
            if self.every_job:
                yield f"[{done - len(ended) + place + 1}/{self.watch.jobs.total}] {job.name}"
            elif job.rule in SCORED:
                scored -= job.rule == "score"
                yield f"[{seen.cells[0] - scored}/{seen.cells[1]}] {finished_line(job)}"


def display_for(every_job: bool) -> Display:
    """The display for where our output goes."""
    console = Console(highlight=False, markup=False, emoji=False)
    live = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console, every_job) if live else PlainDisplay(every_job)


@dataclass
class PlainDisplay:
    """Lines for a pipe or a file.

    Attributes:
        every_job: whether jobs are counted, and not cells.
    """

    every_job: bool
    _reported: float = field(default_factory=time.monotonic)

    def show(self, seen: Seen, watch: Watch) -> None:
        """Print a line if a minute has gone by."""
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._reported = time.monotonic()
            self.say(f"mtpeft: {progress_sentence(seen, watch, every_job=self.every_job)}")

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, flush=True)

    def close(self) -> None:
        """Nothing has to be removed."""


@dataclass
class LiveDisplay:
    """A bar with what runs below it, at the end of a terminal's text.

    Attributes:
        console: of the terminal.
        every_job: whether jobs are counted, and not cells.
    """

    console: Console
    every_job: bool
    _live: Live = field(init=False)

    def __post_init__(self) -> None:
        self._live = Live(console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._live.start()

    def show(self, seen: Seen, watch: Watch) -> None:
        """Draw the bar anew."""
        self._live.update(live_view(seen, watch, every_job=self.every_job), refresh=True)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.console.print(line, soft_wrap=True)

    def close(self) -> None:
        """Remove the bar."""
        self._live.stop()


def progress_sentence(seen: Seen, watch: Watch, *, every_job: bool) -> str:
    """How far a sweep is, in a line."""
    jobs = f"{len(watch.jobs.ended())} of {watch.jobs.total} jobs"
    done = f"{jobs if every_job else tally(seen.cells, seen.others)} are finished"
    runs = [running_line(job, progress, now=time.time()) for job, progress in seen.running]
    more = f" and {len(runs) - 1} more" if runs[1:] else ""
    return ", ".join(filter(None, [done, str(seen.left or "")])) + (f"; now {runs[0]}{more}." if runs else ".")


def live_view(seen: Seen, watch: Watch, *, every_job: bool) -> RenderableType:
    """The bar, the time left, and a line for each job that runs; every line is cut at the width of the terminal."""
    done, wanted = (len(watch.jobs.ended()), watch.jobs.total) if every_job else seen.cells
    if not watch.jobs.by_id:
        return Text(PLANNING, no_wrap=True, overflow="crop")
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(no_wrap=True)
    head.add_column(ratio=1)
    head.add_column(no_wrap=True)
    share = f"{done / wanted:.0%}" if wanted else ""
    head.add_row(
        f"{done}/{wanted} {'jobs' if every_job else 'cells'}", ProgressBar(total=max(1, wanted), completed=done), share
    )
    lines = [str(seen.left) if seen.left else "time left is not known yet"]
    shown = seen.running[:MOST_RUNNING]
    lines += [running_line(job, progress, now=time.time()) for job, progress in shown]
    lines += [f"and {len(seen.running) - len(shown)} more"] if len(seen.running) > len(shown) else []
    return Group(head, *(Text(line, no_wrap=True, overflow="crop") for line in lines))
