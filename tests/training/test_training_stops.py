"""The training engine: how it stops, fails and goes on, to the same bytes."""

import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import canonical, read_record, write_record
from mtpeft.training import finetune as finetuning
from mtpeft.training.checkpoint import CHECKPOINT_FILE
from mtpeft.training.finetune import finetune
from support.model import (
    cell,
    files_of,
    inputs,
    train_cell,
    train_params,
)
from support.training import (
    ENVIRONMENT,
    PARAMS,
    STAGED,
    at_update,
    build,
    results,
    run_command,
    trainer,
)
from support.waiting import LONG, SOON, wait_for


@pytest.mark.parametrize("kind", PARAMS)
def test_resumed_run_ends_with_the_same_bytes(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    stops = [(1, signal.SIGTERM), (4, signal.SIGINT), (5, signal.SIGUSR1), (6, signal.SIGTERM)]
    for update, number in stops:
        with (
            at_update(update, lambda number=number: signal.raise_signal(number), monkeypatch),
            pytest.raises(TryAgainError, match=rf"stopped at update {update + 1} .*{number.name}; the state is saved"),
        ):
            build(sweep, tmp_path, kind)
    build(sweep, tmp_path, kind)
    record = read_record(tmp_path / ("base.json" if kind in ("translation", "denoising") else "train.json"))
    assert record.get("training", record)["starts"] == 1 + len(stops)
    expected = uninterrupted(kind)
    assert results(tmp_path) == expected
    assert any(name.endswith("model.safetensors") for name in expected)
    assert record.get("training", record)["best_step"] > 0


def test_a_method_with_stages_goes_on_in_the_stage_in_which_it_was_stopped(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six updates each; a stop in the last one of a stage is one before the next has begun."""
    halted, whole = tmp_path / "halted", tmp_path / "whole"
    for update in (2, 5, 3):
        with at_update(update, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
            train_cell(sweep, halted, STAGED)
    train_cell(sweep, halted, STAGED)
    train_cell(sweep, whole, STAGED)
    assert results(halted) == results(whole)
    record = read_record(halted / "train.json")
    assert [mark["step"] for mark in record["dev_history"]] == [0, 6, 6, 12]
    assert record["dev_history"][2]["score"] == max(mark["score"] for mark in record["dev_history"][:2])
    assert sorted(folder.name for folder in (halted / "tuned").iterdir()) == ["stage0", "stage1"]


def test_time_budget_stops_at_an_update_and_the_next_start_goes_on(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("MTPEFT_SECONDS", "0.0001")
        with pytest.raises(TryAgainError, match=r"stopped at update 0 of 12: the time budget of 0\.0001 s is used up"):
            build(sweep, tmp_path, "lora")
    build(sweep, tmp_path, "lora")
    assert results(tmp_path) == uninterrupted("lora")


def test_state_of_other_params_is_discarded_with_a_message(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    other = train_params("adapter", learning_rate=0.05)
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path, other)
    build(sweep, tmp_path, "adapter")
    assert "belongs to other params or inputs; training starts anew" in capsys.readouterr().out
    assert results(tmp_path) == uninterrupted("adapter")
    assert read_record(tmp_path / "train.json")["starts"] == 1


def test_state_of_other_inputs_is_discarded(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("".join(f"{row}\n" for row in range(20)), encoding="utf-8")
    folder = tmp_path / "cell"
    other = replace(inputs(sweep), subset=fewer)
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        finetune(PARAMS["adapter"], cell("adapter"), inputs=other, record=folder / "train.json")
    build(sweep, folder, "adapter")
    assert results(folder) == uninterrupted("adapter")
    assert read_record(folder / "train.json")["starts"] == 1


def test_a_base_model_that_is_not_the_recorded_one_is_refused(sweep: Path, tmp_path: Path) -> None:
    record = read_record(inputs(sweep).base)
    changed = tmp_path / "base.json"
    write_record(changed, record | {"sha256": dict.fromkeys(record["sha256"], "0" * 64)})
    with pytest.raises(UserError, match=r"is not the file that .*base\.json says was made"):
        finetune(
            PARAMS["lora"],
            cell("lora"),
            inputs=replace(inputs(sweep), base=changed),
            record=tmp_path / "train.json",
        )


def gone(process: int) -> bool:
    """True when the process is dead, also where nobody has collected it yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_killed_parent_takes_its_trainer_with_it_and_the_state_is_whole(
    sweep: Path, tmp_path: Path, uninterrupted: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer is killed while it saves after every update; what it left is resumed to the same bytes."""
    long = json.loads(canonical(PARAMS["lora"]))
    long["optimisation"] |= {"updates": 3000}
    arguments = [sys.executable, "-m", "mtpeft", *trainer(sweep, tmp_path / "killed/train.json", long)]
    start = f"import subprocess, time; print(subprocess.Popen({arguments!r}).pid, flush=True); time.sleep({LONG})"
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        child = int(parent.stdout.readline())
        state = tmp_path / "killed/state" / CHECKPOINT_FILE
        wait_for(lambda: state.exists() and _step(state) >= 10)
        parent.kill()
    wait_for(lambda: gone(child), SOON)
    reached = _step(state)
    marked = files_of(tmp_path / "killed/state")
    assert reached < 3000

    def stop() -> None:
        signal.raise_signal(signal.SIGTERM)

    with at_update(reached + 20, stop, monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path / "killed", long)
    with at_update(reached + 20, stop, monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path / "whole", long)
    assert marked != files_of(tmp_path / "killed/state")
    killed, whole = (load_file(tmp_path / name / "state" / CHECKPOINT_FILE) for name in ("killed", "whole"))
    assert killed.keys() == whole.keys()
    assert all(torch.equal(killed[name], whole[name]) for name in whole)


def _step(state: Path) -> int:
    from safetensors import safe_open

    with safe_open(state, framework="pt") as archive:
        return json.loads(archive.metadata()["progress"])["step"]


@pytest.mark.usefixtures("own_life")
def test_second_trainer_of_a_cell_waits_its_turn(sweep: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "state").mkdir()
    arguments = trainer(sweep, tmp_path / "train.json", PARAMS["lora"])
    with open(tmp_path / "state/lock", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, said = run_command(arguments, capsys)
    assert code == os.EX_TEMPFAIL == 75
    assert f"mtpeft: {tmp_path}/state is being written by another process." in said
    assert not (tmp_path / "train.json").exists()
    assert run_command(arguments, capsys)[0] == 0


@pytest.mark.usefixtures("own_life")
def test_a_file_system_without_locks_is_refused(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def no_locks(*given: Any) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    code, said = run_command(trainer(sweep, tmp_path / "train.json", PARAMS["lora"]), capsys)
    assert code == 2
    assert f"The file system of {tmp_path}/state has no locks (Function not implemented)" in said


@contextlib.contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("own_life")
@pytest.mark.parametrize("kind", ["full", "adapter"])
def test_full_disk_keeps_the_last_state_and_goes_on_when_there_is_room(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, kind: str
) -> None:
    arguments = trainer(sweep, tmp_path / "train.json", PARAMS[kind])
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch):
        assert run_command(arguments, capsys)[0] == os.EX_TEMPFAIL
    state = files_of(tmp_path / "state")[CHECKPOINT_FILE]
    with no_room(8192):
        code, said = run_command(arguments, capsys)
    assert code == os.EX_TEMPFAIL
    assert "File too large" in said.splitlines()[-1]
    assert "the last whole state is kept" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert files_of(tmp_path / "state")[CHECKPOINT_FILE] == state
    assert not (tmp_path / "train.json").exists()
    assert run_command(arguments, capsys)[0] == 0
    assert results(tmp_path) == uninterrupted(kind)


@pytest.mark.usefixtures("own_life")
def test_full_disk_at_the_very_end_costs_no_training(
    sweep: Path, uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    arguments = trainer(sweep, tmp_path / "train.json", PARAMS["full"])
    real = finetuning.save_tuned

    def save_without_room(*given: Any, **named: Any) -> Path:
        with no_room(8192):
            return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "save_tuned", save_without_room)
        assert run_command(arguments, capsys)[0] == os.EX_TEMPFAIL
    assert not (tmp_path / "tuned").exists()
    with at_update(0, lambda: pytest.fail("trained again"), monkeypatch):
        assert run_command(arguments, capsys)[0] == 0
    assert results(tmp_path) == uninterrupted("full")
