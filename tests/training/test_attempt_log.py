"""The record of attempts: what each start of a trainer says of itself, and what the next one says of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import read_record
from mtpeft.training.attempt_log import attempting, end_of, read_attempts
from support.training import at_update, build, results


def test_a_finished_cell_tells_all_its_attempts(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with at_update(4, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        build(sweep, tmp_path, "lora")
    (first,) = read_attempts(tmp_path / "state")
    assert first | {"host": "", "started": "", "ended": ""} == {
        "host": "",
        "started": "",
        "ended": "",
        "pid": os.getpid(),
        "slurm_job": None,
        "from_update": 0,
        "to_update": 5,
        "why": "signal TERM",
    }
    assert first["started"] < first["ended"]
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "99999999999")
    build(sweep, tmp_path, "lora")
    assert "ended at update 5: signal TERM; this one goes on at update 5." in capsys.readouterr().out
    told = read_record(tmp_path / "train.json")["execution"]["attempts"]
    assert [(entry["from_update"], entry["to_update"], entry["why"]) for entry in told] == [
        (0, 5, "signal TERM"),
        (5, 12, "finished"),
    ]
    assert told[1]["slurm_job"] == "17"
    assert results(tmp_path) == uninterrupted("lora")


def test_a_start_that_was_killed_has_no_end_and_the_next_one_says_so(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        with attempting(tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    with attempting(tmp_path) as attempt:
        assert [entry["pid"] for entry in attempt.entries] == [process, os.getpid()]
        assert "ended without a word: killed, by its memory limit or with its node" in end_of(attempt.entries[0])


@pytest.mark.parametrize(
    ("error", "why", "raised"),
    [
        (MemoryError("too much"), "memory", TryAgainError),
        (OSError(28, "No space left on device"), "files", TryAgainError),
        (UserError("a mistake"), "error", UserError),
    ],
)
def test_the_record_names_what_ended_an_attempt(
    tmp_path: Path, error: Exception, why: str, raised: type[Exception]
) -> None:
    with pytest.raises(raised), attempting(tmp_path):
        raise error
    assert [entry["why"] for entry in read_attempts(tmp_path)] == [why]
