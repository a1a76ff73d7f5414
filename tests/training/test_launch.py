"""A step on several GPUs as its rule calls it: `accelerate launch`, here of two processes without one."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mtpeft.core.files import read_record
from mtpeft.training.checkpoint import CHECKPOINT_FILE
from mtpeft.training.launch import _code_of
from support.model import train_cell, train_params
from support.ranks import in_ranks
from support.sweep import copy, located, run
from support.training import ENVIRONMENT, results, trainer
from support.waiting import SOON, wait_for

PARAMS = train_params("lora")
PARAMS["optimisation"] |= {"updates": 60}
OWN_CONFIG = "{compute_environment: LOCAL_MACHINE, distributed_type: MULTI_GPU, num_processes: 2, gpu_ids: '6,7'}"


def start(sweep: Path, record: Path) -> subprocess.Popen[str]:
    """Start the command, for a user whose own options of the launcher name other GPUs."""
    own = record.parents[1] / "home/accelerate/default_config.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(OWN_CONFIG, encoding="utf-8")
    environment = ENVIRONMENT | {"HF_HOME": str(own.parents[1])}
    command = [sys.executable, "-m", "mtpeft", *trainer(sweep, record, PARAMS), "--gpus", "2"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def written(state: Path) -> int:
    """Time at which the state was written, or 0."""
    with contextlib.suppress(FileNotFoundError):
        return state.stat().st_mtime_ns
    return 0


def hit(sweep: Path, folder: Path, number: signal.Signals) -> tuple[int, str]:
    """Signal the command when it trains; returns its exit code and what it said. No rank outlives it."""
    state = folder / "state" / CHECKPOINT_FILE
    before = written(state)
    with start(sweep, folder / "train.json") as command:
        wait_for(lambda: written(state) > before or command.poll() is not None)
        ranks = psutil.Process(command.pid).children()
        assert len(ranks) == 2
        assert not any("CUDA_VISIBLE_DEVICES" in rank.environ() for rank in ranks)
        command.send_signal(number)
        said = command.communicate()[0]
    _, alive = psutil.wait_procs(ranks, timeout=SOON)
    assert not alive
    return command.returncode, said


@pytest.mark.slow
def test_processes_stop_die_and_go_on_with_the_command_that_has_launched_them(sweep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cell"
    code, said = hit(sweep, folder, signal.SIGUSR1)
    assert code == os.EX_TEMPFAIL
    assert said.count("of 60: signal SIGUSR1; the state is saved") == 1
    assert "Traceback" not in said
    code, _ = hit(sweep, folder, signal.SIGKILL)
    assert code == -signal.SIGKILL
    with start(sweep, folder / "train.json") as command:
        said = command.communicate()[0]
    assert command.returncode == 0, said
    in_ranks(tmp_path / "ranks", lambda rank: train_cell(sweep, tmp_path / "whole", PARAMS))
    assert results(folder) == results(tmp_path / "whole")
    execution = read_record(folder / "train.json")["execution"]
    assert execution["processes"] == 2
    assert [attempt.get("why") for attempt in execution["attempts"]] == ["signal USR1", None, "finished"]


@pytest.mark.slow
@pytest.mark.sweep
def test_a_model_with_several_gpus_is_trained_so_in_a_sweep(finished: Path, tmp_path: Path) -> None:
    cell = "results/cells/small/es-en/n200/lora/b5/1/train.json"
    folder = copy(finished, tmp_path / "run")
    located(folder, cell).unlink()
    code, said = run(folder, overlay={"models": {"small": {"gpus": 2}}}, options=["--target", cell])
    assert code == 0, said[-3000:]
    alone, together = (read_record(located(where, cell)) for where in (finished, folder))
    assert [record["execution"]["processes"] for record in (alone, together)] == [1, 2]
    assert together["dev_history"] == [
        {key: pytest.approx(value, abs=0.05) for key, value in entry.items()} for entry in alone["dev_history"]
    ]


@pytest.mark.parametrize(
    ("codes", "expected"), [([75, 1], 75), ([1], 1), ([2, 2], 2), ([-9], 75), ([1, -15], 75), ([2, 75], 2)]
)
def test_a_step_ends_as_its_processes_do(codes: list[int], expected: int) -> None:
    assert _code_of(codes) == expected
