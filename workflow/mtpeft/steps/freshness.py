"""Decide whether records are current, for `status`, `preview` and recovery, without Snakemake.

Snakemake decides what a sweep runs again: a cell whose params, inputs or digest in the name of its folder have changed
(see `steps/train.py`, and `rerun-triggers` in the profiles). This module answers the same question.

A record is current if its params are those of the configuration and every file that its step read is unchanged. This is
checked back to the corpora. A file that is missing from an existing folder makes the record stale, since Snakemake
removes the files of a step before it runs the step again, and would make the file and all that follows from it anew. A
missing folder does not make it stale: somebody has removed it to save space, and the rest of the chain is checked.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import Cell, OnPair, Served
from mtpeft.config import metrics
from mtpeft.core.checksums import FOLDER_RECORD, made_by, record_of
from mtpeft.core.files import canonical, read_if_whole, sha256_of
from mtpeft.steps import decode, decode_with_experts, represent, score, score_with_metric, split_experts, train
from mtpeft.steps.paths import labels_in
from mtpeft.steps.step import STEPS, Labels, Params, Step, flat

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

Record = Mapping[str, Any]
Stamp = tuple[str, int, int]
"""Path, size, and time of change in nanoseconds: while they are the same, a file is taken for the same."""
CACHE_SIZE = 4096
"""Most files that are remembered; those of a study are a few for each of its pairs, models and sizes."""
MADE = ("made", "params", "sha256")
"""Keys of a record that say nothing of the files that its step has read."""
STEP_OF_RECORD = {"train.json": train.STEP, "decode.json": decode.STEP, "score.json": score.STEP}
"""Steps of every cell by their record, in their order; each follows from the one before it."""


@dataclass(frozen=True)
class RecordRead:
    """A record as it was read at once, since a sweep that runs may replace or remove its file.

    Attributes:
        record: of a step.
        sha256: of its file.
        recorded_at: time of its file, in nanoseconds.
    """

    record: dict[str, Any]
    sha256: str
    recorded_at: int

    @cached_property
    def digests(self) -> frozenset[str]:
        """All SHA-256 in the record."""
        return digests_in(self.record)

    def follows(self, before: str | None) -> bool:
        """Whether the record names the hash of the record of the step before it, if there is one."""
        return before is None or before in self.digests


def read_now(file: Path) -> RecordRead | None:
    """Read the record in a file; None where it is missing or cut."""
    recorded_at = _changed_at(file)
    read = read_if_whole(file)
    return RecordRead(*read, recorded_at) if read else None


@dataclass(frozen=True)
class Look:
    """One look at the files of a run.

    Attributes:
        configuration: that records are compared with.
        current: whether a record is current, for those that were looked at.
    """

    configuration: "Configuration"
    current: dict[Path, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """The job that makes a record: its params and the files that it reads, by the configuration."""

    params: Params
    inputs: tuple[Path, ...]


def current_records(configuration: "Configuration", cell: Cell, pair: str | None = None) -> dict[str, dict[str, Any]]:
    """Records of a cell that are current, by step: those up to the first that is missing or outdated.

    With another pair than its own, what follows the training is on the test sets of that. Each record is read once: a
    sweep that runs may remove it at any time.
    """
    found: dict[str, dict[str, Any]] = {}
    before: str | None = None
    look, measured = Look(configuration), OnPair(cell, pair or cell.pair)
    for name, step in STEP_OF_RECORD.items():
        folder = cell.folder if step is train.STEP else measured.folder
        reading = read_now(folder / name)
        own = cell if step is train.STEP else replace(cell, pair=measured.pair)
        if (
            reading is None
            or not reading.follows(before)
            or not _holds(look, job_of(configuration, step, own.named), reading)
        ):
            break
        found[step.name], before = reading.record, reading.sha256
    return found


def is_represented(configuration: "Configuration", cell: Cell) -> bool:
    """Whether the record of a trained cell's representations is current."""
    return _is_current_measurement(configuration, represent.STEP, cell.on_own, cell.folder / "representations.json")


def is_served(configuration: "Configuration", served: Served) -> bool:
    """Whether the records of a trained cell with some of its experts are current, its score among them."""
    return score.STEP.name in served_records_now(configuration, served)


def served_records_now(configuration: "Configuration", served: Served) -> list[str]:
    """Names of the steps whose records of a trained cell with some of its experts are current."""
    chain = (
        (split_experts.STEP, served.split / "experts.json"),
        (decode_with_experts.STEP, served.folder / "served.json"),
        (score.STEP, served.folder / "score.json"),
    )
    labels, look = served.cell.named | {"active": str(served.active)}, Look(configuration)
    before, found = digest_of_file(served.cell.folder / "train.json"), []
    for step, file in chain:
        reading = read_now(file)
        if reading is None or before is None or not reading.follows(before):
            break
        if not _holds(look, job_of(configuration, step, labels), reading):
            break
        before = reading.sha256
        found.append(step.name)
    return found


def scored_now(configuration: "Configuration", cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """The finished cells that each metric with a step of its own has scored with the present params, by metric."""
    finished = list(cells)
    return {
        metric: [cell for cell in finished if _is_scored_with(configuration, metric, cell)]
        for metric in metrics.metrics_asked_for(configuration)
    }


def _is_scored_with(configuration: "Configuration", metric: str, cell: Cell) -> bool:
    return all(
        _is_current_measurement(configuration, score_with_metric.STEP, on, on.metric_record(metric), metric=metric)
        for on in cell.measured
    )


def _is_current_measurement(
    configuration: "Configuration", step: Step, measured: OnPair, file: Path, **labels: str
) -> bool:
    """Whether a record of another measurement of a cell than `score.json` belongs to the cell and is current."""
    reading = read_now(file)
    made_from = {"represent": measured.cell.folder / "train.json"}.get(step.name, measured.folder / "decode.json")
    before, own = digest_of_file(made_from), replace(measured.cell, pair=measured.pair).named
    if reading is None or before is None or not reading.follows(before):
        return False
    return _holds(Look(configuration), job_of(configuration, step, own | labels), reading)


def _holds(look: Look, job: Job, reading: RecordRead) -> bool:
    """Whether a record has the present params, and its input files are unchanged since they were read."""
    return _has_params(reading.record, job.params) and all(_was_read(look, file, reading) for file in job.inputs)


def _was_read(look: Look, file: Path, reading: RecordRead) -> bool:
    """Whether a file is the one that a step has read, and its own record is current.

    It is the one if the step's record has its digest, or has none for it and the file is older than the record.
    """
    now = digest_of_file(file)
    if now is None:
        return was_removed(file)
    own = record_for(look.configuration, file)
    content = _record(own) if own else None
    if own and content and not _made_files_hold(own, content, of=file):
        return False
    older = _changed_at(file) <= reading.recorded_at and not _names(reading.record, file)
    is_known = now in reading.digests or older
    if own == file and content and file.name == "base.json" and (files := _base_files_read(reading.record, content)):
        is_known = all(files)
    return is_known and (own is None or _is_current(look, own))


def _base_files_read(record: Record, base: Record) -> list[bool]:
    """For each file of a base model, whether a record has its digest; an empty list if the record names none of them.

    Records of trainings have the digests of the base model's files instead of the digest of its record.
    """
    read = record.get("inputs", {})
    now = {f"base_{name}_sha256": digest for name, digest in base["sha256"].items()}
    return [read.get(key) == digest for key, digest in now.items()] if now.keys() & read.keys() else []


def _names(record: Record, file: Path) -> bool:
    """Whether a record has a digest of a file of this path or name that its step has read."""
    keys = {str(file), file.name, f"{file.stem}_sha256"}
    read = {key: value for key, value in record.items() if key not in MADE}
    return _has_key(read, keys)


def _has_key(value: Any, keys: Set[str]) -> bool:
    if not isinstance(value, Mapping):
        return False
    return any((key in keys and isinstance(own, str)) or _has_key(own, keys) for key, own in value.items())


def record_for(configuration: "Configuration", file: Path) -> Path | None:
    """The record of the step that has made a file, whether it is there or not; None for a file of the user's own."""
    beside = file.with_name(f"{file.name.removesuffix('.gz').rpartition('.')[0]}.json")
    for record in (beside, file.with_name(FOLDER_RECORD)):
        if _job_behind(configuration, record):
            return record
    return record_of(file)


def is_current(configuration: "Configuration", file: Path) -> bool:
    """Whether the record of text, tokens, a base model or a search is current, and its files are those that it names.

    A file of the user's own has no record and is always current.
    """
    return _is_current(Look(configuration), file)


def _is_current(look: Look, record: Path) -> bool:
    if record not in look.current:
        look.current[record] = _is_current_now(look, record)
    return look.current[record]


def _is_current_now(look: Look, record: Path) -> bool:
    stamp = _stamp(record)
    if stamp is None:
        return was_removed(record)
    reading, job = _read(stamp), _job_behind(look.configuration, record)
    return reading is not None and (job is None or _holds(look, job, reading))


def has_params_of_now(configuration: "Configuration", record: Path) -> bool:
    """Whether a record is there and has the params that its step would have now."""
    read, job = read_if_whole(record), _job_behind(configuration, record)
    return read is not None and job is not None and _has_params(read[0], job.params)


def job_of(configuration: "Configuration", step: Step, labels: Labels) -> Job:
    """The job of a step with these labels."""
    return Job(step.params_of(configuration, labels), tuple(map(Path, flat(step.inputs_of(configuration, labels)))))


@lru_cache(maxsize=CACHE_SIZE)
def _job_behind(configuration: "Configuration", record: Path) -> Job | None:
    """The job that makes a record, or None where no step does; all jobs but those of cells follow from the path."""
    found = step_of(configuration, record)
    return job_of(configuration, *found) if found else None


def _has_params(record: Record, params: Params) -> bool:
    """Whether a record has these params. The record of a download has some of them among its own keys."""
    if "params" in record:
        return canonical(record["params"]) == canonical(params)
    return all(record[key] == value for key, value in params.items() if key in record)


def _made_files_hold(record: Path, content: Record, *, of: Path) -> bool:
    """Whether a file is as its record says or, if the file is the record itself, whether all files that it names are.

    The files may be large, so only those that are newer than the record are read.
    """
    files = made_by(record, content)
    if of != record:
        return files.get(of) in (None, digest_of_file(of))
    recorded_at = _changed_at(record)
    return all(digest_of_file(made) == digest for made, digest in files.items() if _changed_at(made) > recorded_at)


def step_of(configuration: "Configuration", record: Path) -> tuple[Step, dict[str, str]] | None:
    """The step that makes the record at a path, with the labels of the job; None where no step does."""
    for step, pattern in _patterns():
        if match := pattern.fullmatch(str(record)):
            labels = labels_in(configuration, match.groupdict())
            if step.makes_it(configuration, labels):
                return step, labels
    return None


@cache
def _patterns() -> list[tuple[Step, re.Pattern[str]]]:
    steps = [step for step in STEPS.entries.values() if "/" in step.record]
    return [(step, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", step.record))) for step in steps]


def digests_in(record: Any) -> frozenset[str]:
    """All SHA-256 that a record holds."""
    return frozenset(_digests_in(record))


def _digests_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) == 64 and re.fullmatch(r"[0-9a-f]{64}", value):
            yield value
    elif isinstance(value, Mapping):
        for own in value.values():
            yield from _digests_in(own)
    elif isinstance(value, list | tuple) and not (value and isinstance(value[0], int | float)):
        for own in value:
            yield from _digests_in(own)


def was_removed(file: Path) -> bool:
    """Whether the whole folder of a file is gone, to save space."""
    return not file.parent.is_dir()


def digest_of_file(file: Path) -> str | None:
    """SHA-256 of a file, or None where there is no file; read once, and again only when the file has changed."""
    stamp = _stamp(file)
    return _digest(stamp) if stamp else None


def _record(file: Path) -> Record | None:
    """A record, read again only when its file has changed."""
    stamp = _stamp(file)
    reading = _read(stamp) if stamp else None
    return reading.record if reading else None


def _changed_at(file: Path) -> int:
    stamp = _stamp(file)
    return stamp[2] if stamp else 0


def _stamp(file: Path) -> Stamp | None:
    path = os.path.abspath(file)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return path, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=CACHE_SIZE)
def _read(stamp: Stamp) -> RecordRead | None:
    return read_now(Path(stamp[0]))


@lru_cache(maxsize=CACHE_SIZE)
def _digest(stamp: Stamp) -> str | None:
    try:
        return sha256_of(Path(stamp[0]))
    except FileNotFoundError:
        return None
