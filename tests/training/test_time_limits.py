"""Trainers that end in time: their allocation, their request for another one, and the updates that they lose."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cluster.preemption import MIN_MARGIN_SECONDS, PreemptionHandler, TimeToStopError, interruptible
from mtpeft.cluster.slurm import RUN_VARIABLE, SUBMITTED_VARIABLE, JobTimes, job_times, requeue
from mtpeft.core.errors import StoppedError, TryAgainError
from mtpeft.core.files import read_record
from mtpeft.training import loop, result_cache
from mtpeft.training.attempt_log import Attempt, read_attempts, starting
from mtpeft.training.result_cache import FOLDER, evict
from support.model import train_cell, train_params
from support.training import at_update, build, results

SLURM = """\
#!/bin/sh
echo "$(basename "$0") $*" >> {folder}/asked
case "$*" in *show*) echo "{shown}" ;; *%S*) echo "{start} {end}" ;; esac
"""
RUNS = "JobState=RUNNING Reason=None StartTime=2026-01-01T12:00:00 PreemptTime=None"
CANCELLED = "JobState=COMPLETING Reason=None StartTime=2026-01-01T12:00:00 PreemptTime={}"


@pytest.fixture
def in_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[str]]]:
    """Lets this process believe that it is in a job of Snakemake's; returns what tells the commands that it called."""

    def begin(*, shown: str = RUNS, start: float = 0, end: float = 9e9) -> Callable[[], list[str]]:
        folder = tmp_path / "slurm"
        folder.mkdir()
        for name in ("squeue", "scontrol"):
            program = folder / name
            program.write_text(SLURM.format(folder=folder, shown=shown, start=int(start), end=int(end)))
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("SLURM_JOB_ID", "17")
        monkeypatch.setenv(SUBMITTED_VARIABLE, "yes")
        monkeypatch.setenv(RUN_VARIABLE, "a run")
        return lambda: [line for line in (folder / "asked").read_text().splitlines() if "requeue" in line]

    return begin


def test_the_end_of_an_allocation_is_asked_of_slurm(in_job: Callable) -> None:
    assert job_times() == JobTimes()
    in_job(start=1000, end=4000)
    assert job_times() == JobTimes(1000.0, 4000.0)
    assert [job_times().is_late(moment) for moment in (1000, 2499, 2501)] == [False, False, True]


def test_a_clock_leaves_as_much_time_as_it_has_learnt_to_need() -> None:
    preemption = PreemptionHandler(end=time.time() + 600)
    preemption.poll()
    with preemption.saving():
        time.sleep(0.2)
    preemption.poll()
    assert preemption.margin() >= MIN_MARGIN_SECONDS + 4 * 0.2
    preemption.end = time.time() + preemption.margin()
    with pytest.raises(TimeToStopError, match=r"the time limit is reached in \d+ s"):
        preemption.poll()


@pytest.mark.parametrize(
    ("number", "shown", "asked"),
    [
        (signal.SIGUSR1, RUNS, ["scontrol requeue 17"]),
        (signal.SIGTERM, RUNS, ["scontrol requeue 17"]),  # to make room for a more urgent job
        (signal.SIGTERM, CANCELLED.format("None"), []),
        (signal.SIGTERM, CANCELLED.format("2026-01-01T12:30:00"), ["scontrol requeue 17"]),  # the same
        (signal.SIGTERM, CANCELLED.format("2026-01-01T11:30:00"), []),  # the time before, it was
        (signal.SIGINT, RUNS, []),
    ],
)
def test_a_job_whose_training_advances_goes_back_into_the_queue(
    sweep: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_job: Callable,
    number: int,
    shown: str,
    asked: list[str],
) -> None:
    calls = in_job(shown=shown)
    with at_update(1, lambda: signal.raise_signal(number), monkeypatch), pytest.raises(StoppedError):
        build(sweep, tmp_path / "cell", "lora")
    assert calls() == asked


def test_a_job_that_snakemake_has_not_submitted_is_not_requeued(
    in_job: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = in_job()
    assert requeue()
    monkeypatch.delenv(SUBMITTED_VARIABLE)
    assert not requeue()
    assert len(calls()) == 1


STARTED = "2026-01-01T12:00:00+00:00"
NOON = 1767268800.0
MOVED, STUCK = {"from_update": 0, "to_update": 9}, {"from_update": 9, "to_update": 9}
EARLY, LATE = JobTimes(NOON - 60, NOON + 600), JobTimes(NOON - 600, NOON + 60)


@pytest.mark.parametrize(
    ("before", "own", "why", "given", "again"),
    [
        ([], MOVED, "time", EARLY, True),
        ([STUCK], MOVED, "signal USR1", EARLY, True),
        ([], MOVED, "memory", EARLY, False),
        ([], MOVED, "time budget", EARLY, False),
        ([MOVED], STUCK, "time", EARLY, False),
        ([], STUCK, "time", LATE, True),
        ([MOVED], STUCK, "time", LATE, True),
        ([MOVED, STUCK], STUCK, "time", LATE, False),
        ([MOVED, {"from_update": 9}], STUCK, "time", LATE, False),
    ],
)
def test_a_job_is_requeued_after_progress_and_at_most_once_without(
    before: Sequence[dict[str, Any]], own: dict[str, Any], why: str, given: JobTimes, again: bool
) -> None:
    entries = [*before, own | {"started": STARTED, "why": why}]
    assert Attempt(Path("none"), PreemptionHandler(), given, entries).may_be_requeued() is again


def test_a_time_limit_before_the_first_update_is_no_reason_for_another_job(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, in_job: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, cell = in_job(start=time.time(), end=time.time() + MIN_MARGIN_SECONDS), tmp_path / "cell"
    with pytest.raises(TryAgainError, match=r"stopped before any update of this attempt: the time limit"):
        build(sweep, cell, "lora")
    assert calls() == []
    assert [entry["why"] for entry in read_attempts(cell / "state")] == ["time"]
    monkeypatch.delenv("SLURM_JOB_ID")
    build(sweep, cell, "lora")
    assert results(cell) == uninterrupted("lora")


@pytest.mark.parametrize(("late", "asked"), [(False, []), (True, ["scontrol requeue 17"])])
def test_a_start_that_comes_no_further_than_loading_is_recorded(
    tmp_path: Path, in_job: Callable, late: bool, asked: list[str]
) -> None:
    ends = time.time() + MIN_MARGIN_SECONDS + 1
    calls = in_job(start=ends - (1000 if late else 1), end=ends)
    with pytest.raises(StoppedError, match=r"before any update .* the time limit is reached"), starting(tmp_path):
        time.sleep(60)
    (entry,) = read_attempts(tmp_path)
    assert (entry["from_update"], entry["to_update"], entry["why"]) == (None, 0, "time")
    assert calls() == asked


@pytest.mark.parametrize("kind", ["lora", "translation"])
def test_an_evaluation_is_interrupted_and_done_anew(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    real = loop._evaluate

    def evaluate(task: Any, run: Any, *given: Any, **named: Any) -> float:
        if run.step:
            signal.raise_signal(signal.SIGTERM)
        return real(task, run, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_evaluate", evaluate)
        with pytest.raises(StoppedError, match=r"signal SIGTERM"):
            build(sweep, tmp_path, kind)
    (entry,) = read_attempts(tmp_path / "state")
    build(sweep, tmp_path, kind)
    assert results(tmp_path) == uninterrupted(kind)
    record = read_record(next(tmp_path.glob("[tb]*.json")))
    assert entry["to_update"] == record.get("training", record)["dev_history"][1]["step"]


def test_a_step_without_a_state_says_so_when_it_is_stopped(in_job: Callable) -> None:
    said = r"decoding was stopped: signal SIGTERM; the next start begins anew"
    with pytest.raises(StoppedError, match=said), interruptible("decoding") as poll:
        signal.raise_signal(signal.SIGTERM)
        poll()
    in_job(start=time.time(), end=time.time() + 1)
    said = r"decoding was not finished in its time .* needs a longer one"
    with pytest.raises(TryAgainError, match=said) as ended, interruptible("decoding") as poll:
        poll()
    assert not isinstance(ended.value, StoppedError)


def test_a_cell_that_was_finished_in_a_job_of_many_is_not_trained_again(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, in_job: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, cell = uninterrupted("lora"), tmp_path / "cell"
    in_job()

    def start_again(params: dict[str, Any]) -> None:
        """As Snakemake does, when the job of the cell is started again."""
        shutil.rmtree(cell / "tuned", ignore_errors=True)
        (cell / "train.json").unlink(missing_ok=True)
        train_cell(sweep, cell, params)

    params = train_params("lora", learning_rate=0.1)
    start_again(params)
    new_folder = result_cache.new_folder

    def disturbed(folder: Path) -> AbstractContextManager[Path]:
        signal.raise_signal(signal.SIGTERM)
        return new_folder(folder)

    for putting_back in (new_folder, disturbed):
        monkeypatch.setattr(result_cache, "new_folder", putting_back)
        with at_update(0, lambda: pytest.fail("trained again"), monkeypatch):
            start_again(params)
    assert sorted(path.name for path in (cell / "state").iterdir()) == [FOLDER]
    for changed, variable in ((train_params("lora", learning_rate=0.2), "a run"), (params, "another run")):
        trained: list[int] = []
        monkeypatch.setenv(RUN_VARIABLE, variable)
        with at_update(0, lambda trained=trained: trained.append(0), monkeypatch):
            start_again(changed)
        assert trained
    evict(cell / "state")
    assert results(cell) == expected
