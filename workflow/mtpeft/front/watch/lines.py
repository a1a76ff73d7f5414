"""Lines about the jobs of a sweep, for people: what has ended, with its score, what runs, and why a job has failed."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtpeft.core.failure_notes import FAILURE, FAILURES_FOLDER
from mtpeft.core.files import read_if_whole
from mtpeft.core.progress_file import TrainingProgress
from mtpeft.front.watch.jobs import SeenJob
from mtpeft.front.watch.left import duration

SCORED = ("score", "score_other")
"""Rules with which a cell, or a decoding of another pair, is finished."""
OWN_TEST_SET = "test"
SAYS = "mtpeft: "
"""Before what a step says to people."""
LOG_LINES = 6
"""Last lines of the log of a failed job that are shown."""
MOST_LOGS = 3
"""Failed jobs whose logs are shown; of the others the reason is."""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
"""Control characters, and sequences that move the cursor or change colours."""


def finished_line(job: SeenJob) -> str:
    """A line on a finished cell: its labels, its score on the test set and on dev, and how long it was trained."""
    score, train = _record(job.output, "score.json"), _trained(job)
    name = job.labels if job.rule == "score" else " on ".join(job.labels.rsplit("/", 1))
    if score.get("status") == "diverged":
        return f"{name}  diverged after {train.get('updates', 0)} updates"
    sets = score.get("test_sets", {})
    own = sets.get(OWN_TEST_SET) or next(iter(sets.values()), {})
    parts = [f"chrF {own['chrf']['score']:.1f}"] if own.get("chrf") else []
    dev = [entry["score"] for entry in train.get("dev_history", [])]
    if job.rule == "score" and dev:
        parts += [f"dev {max(dev):.1f}"]
    if job.rule == "score" and train.get("updates"):
        parts += [f"trained in {duration(train['train_seconds'])}"]
    return "  ".join([name, *parts])


def running_line(job: SeenJob, progress: TrainingProgress | None, *, now: float) -> str:
    """A line on a running job: how far it is, its labels, and of a training its loss, speed and dev score."""
    if progress is None:
        return f"{job.name}  {duration(now - job.begun)}"
    trial = f" trial {progress.trial}," if progress.trial else ""
    parts = [f"{job.rule}{trial} {progress.update}/{progress.updates} {job.labels}"]
    parts += [f"loss {progress.loss:.3f}"] if progress.loss is not None else []
    parts += [f"{progress.tokens_per_second:,.0f} tokens/s"] if progress.loss is not None else []
    parts += [f"dev {progress.dev_score:.1f}"] if progress.dev_score is not None else []
    return "  ".join(parts)


def failure_lines(failed: Sequence[SeenJob]) -> Iterator[str]:
    """Each failed job with its reason, once, and the last lines of the logs of the first of them."""
    for place, job in enumerate(failed):
        yield f"failed: {job.name}: {_reason(job)}"
        if place < MOST_LOGS:
            for log in filter(Path.is_file, map(Path, job.log)):
                yield f"  the last lines of {log}:"
                yield from (f"    {line}" for line in last_lines(log))


def last_lines(log: Path) -> list[str]:
    """The last lines of a log that say something, without what would move the cursor."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        whole = (line.rstrip("\n").rpartition("\r")[2] if line.rstrip("\r\n") else "" for line in stream)
        return list(deque((CONTROL.sub("", line) for line in whole if line.strip()), maxlen=LOG_LINES))


def _reason(job: SeenJob) -> str:
    """Why a job has failed: by the note that it left, else by what it said last, which one that was killed did not."""
    notes = [*(Path(file).parent / FAILURE for file in job.output), *sorted(FAILURES_FOLDER.glob("*.json"))]
    found = [read[0] for note in dict.fromkeys(notes) if (read := read_if_whole(note))]
    reasons = [note["reason"] for note in found if note["target"] in job.output]
    logs = [log for log in map(Path, job.log) if log.is_file()]
    reasons += [line.removeprefix(SAYS) for log in logs for line in last_lines(log)[-1:] if line.startswith(SAYS)]
    return reasons[0] if reasons else "it ended without saying why; it may have been killed"


def _record(output: Sequence[str], name: str) -> dict:
    for file in map(Path, output):
        if file.name == name and (read := read_if_whole(file)):
            return read[0]
    return {}


def _trained(job: SeenJob) -> dict:
    """The record of the training of the cell that a job has scored, or of the one that holds its folder."""
    for folder in (parent for file in job.output for parent in Path(file).parents):
        if read := read_if_whole(folder / "train.json"):
            return read[0]
    return {}
