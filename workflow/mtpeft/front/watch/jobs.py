"""Snakemake's jobs of a sweep, from the events that `snakemake_logger_plugin_mtpeft` writes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mtpeft.cells import DIMENSIONS, label_of

EXECUTED = ("all", "data", "models", "cells", "tables")
"""Rules that run nothing."""


@dataclass(frozen=True)
class SeenJob:
    """A job that Snakemake has started, or has submitted to a cluster.

    Attributes:
        rule: that it runs.
        labels: of what it makes, without digests, in the order of the folders; empty for a rule without wildcards.
        output: files and folders that it makes.
        log: files with what it prints.
        begun: when it was started or submitted, in seconds since the epoch.
        ended: when it has ended well; None before.
        failed: whether its last try has failed.
    """

    rule: str
    labels: str
    output: Sequence[str]
    log: Sequence[str]
    begun: float
    ended: float | None = None
    failed: bool = False

    @property
    def name(self) -> str:
        """Its rule with its labels."""
        return f"{self.rule} {self.labels}".rstrip()

    @property
    def runs(self) -> bool:
        """Whether it has begun and has not ended."""
        return self.ended is None and not self.failed


@dataclass
class Jobs:
    """The jobs in a file of events, which is read on from where the last reading has stopped.

    Attributes:
        file: of the events; it need not be there yet.
        by_id: jobs by Snakemake's number, in the order in which they were begun.
        total: number of jobs that the run has to make; 0 before that is known.
    """

    file: Path
    by_id: dict[int, SeenJob] = field(default_factory=dict)
    total: int = 0
    _place: int = 0
    _first: bytes = b""

    def read(self) -> list[SeenJob]:
        """Read what is new; returns the jobs that have ended well since the last reading."""
        ended: list[SeenJob] = []
        for event in self._new_events():
            kind, number = event["event"], event.get("id")
            if kind == "jobs":
                self.total = max(self.total, sum(count for rule, count in event["counts"].items() if _runs(rule)))
            elif kind == "begun" and _runs(event["rule"]):
                labels = labels_in(event["wildcards"])
                self.by_id.pop(number, None)
                self.by_id[number] = SeenJob(event["rule"], labels, event["output"], event["log"], event["time"])
            elif kind == "finished" and number in self.by_id:
                self.by_id[number] = replace(self.by_id[number], ended=event["time"], failed=False)
                ended.append(self.by_id[number])
            elif kind == "failed" and number in self.by_id:
                self.by_id[number] = replace(self.by_id[number], failed=True)
        return ended

    def running(self) -> list[SeenJob]:
        """Jobs that have begun and not ended, in the order in which they were begun."""
        return [job for job in self.by_id.values() if job.runs]

    def ended(self) -> list[SeenJob]:
        """Jobs that have ended well."""
        return [job for job in self.by_id.values() if job.ended is not None]

    def failed(self) -> list[SeenJob]:
        """Jobs whose last try has failed."""
        return [job for job in self.by_id.values() if job.failed]

    def _new_events(self) -> list[dict[str, Any]]:
        """The events in whole lines that were added since the last reading."""
        try:
            with self.file.open("rb") as stream:
                self._begin_anew(stream.readline())
                stream.seek(self._place)
                whole = stream.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            return []
        self._place += len(whole) + 1 if whole else 0
        return [event for line in whole.splitlines() if (event := _event_in(line))]

    def _begin_anew(self, first: bytes) -> None:
        """Forget the jobs of the sweep before, where another one has put its own file in the place of this."""
        if self._place and first != self._first:
            self.by_id.clear()
            self.total = self._place = 0
        self._first = first


def _event_in(line: bytes) -> dict[str, Any] | None:
    """The event in a line; None where a full disk has cut it."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def labels_in(wildcards: dict[str, str]) -> str:
    """Labels of what a job makes, without digests, in the order of the folders."""
    ordered = [wildcards[name] for name in DIMENSIONS if name in wildcards]
    others = [value for name, value in wildcards.items() if name not in DIMENSIONS]
    return "/".join(label_of(value) for value in [*ordered, *others])


def _runs(rule: str) -> bool:
    return rule not in (*EXECUTED, "total") and not rule.startswith("study_")
