"""On a real SLURM: a cell that takes longer than its job may, whether its trainer knows of the limit or not."""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mtpeft.core.files import read_record
from support.paced_method import PACE_VARIABLE
from support.sweep import ROOT, cell_name, copy, environment, results, write_study
from support.waiting import LONG, wait_for

if TYPE_CHECKING:
    from support.slurm import Cluster

PACED = str(ROOT / "tests/support/paced_method.py")
UPDATES = 60
OVERLAY = {
    "modules": [PACED],
    "methods": {"paced": {"method": "paced", "learning_rate": 0.005}},
}
LABELS = cell_name("small/es-en/n200/paced/native/1", OVERLAY)
RECORD = Path(f"results/cells/{LABELS}/train.json")
DEAF = """
import os, sys

if sys.orig_argv[2:4] == ["mtpeft", "train"]:
    os.environ["PATH"] = "/nowhere"
"""
"""Read by every Python that starts: the trainer finds no program of SLURM."""


def begin(folder: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    """Start the workflow for the cell, and nothing else: all that it is trained from is there."""
    study = write_study(folder, OVERLAY)
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", study.name]
    command = [sys.executable, "-m", "snakemake", *where, *options, "--", str(RECORD)]
    said = (folder / "said.log").open("w", encoding="utf-8")
    return subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=said, stderr=said, text=True)


def profile(name: str) -> list[str]:
    return ["--workflow-profile", str(ROOT / "workflow/profiles" / name)]


def submit(folder: Path, *, minutes: int, seconds: int, **variables: str) -> subprocess.Popen[str]:
    """Start it on the cluster, where a job may take so many minutes, and all updates so many seconds."""
    asked = ["--set-resources", f"train:runtime={minutes}", "train:mem_mb=2000"]
    quicker = ["--slurm-init-seconds-before-status-checks", "5"]
    return begin(folder, *profile("slurm"), *asked, *quicker, **variables, **{PACE_VARIABLE: f"{seconds / UPDATES}"})


def jobs_of_attempts(folder: Path, whole: Path, *, why: str) -> list[str]:
    """Numbers of the jobs in which the cell was trained: all but the last ended for a reason, each of the others went
    on where the one before it had ended, and it ended as if there had been one.
    """
    entries: list[dict[str, Any]] = read_record(folder / RECORD)["execution"]["attempts"]
    assert len(entries) > 1
    assert [entry["why"] for entry in entries] == [why] * (len(entries) - 1) + ["finished"]
    moves = [(entry["from_update"] or 0, entry["to_update"]) for entry in entries]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(moves))
    assert (moves[0][0], moves[-1][1]) == (0, UPDATES)
    # A job that came after the end of the training has put its own log in the place of the one of the training.
    log = (folder / f"logs/train/{LABELS}.log").read_text()
    assert "; this one goes on at update" in log or "its results are restored from the cache" in log
    assert results(folder) == results(whole)
    return [entry["slurm_job"] for entry in entries]


def let_begin(slurm: "Cluster", folder: Path, sweep: subprocess.Popen[str]) -> None:
    """Wait for the workflow; jobs that were put back, which SLURM holds for two minutes, may begin at once."""
    while sweep.poll() is None:
        for job in slurm.jobs(folder):
            if job.reason == "BeginTime":
                slurm.call("scontrol", "update", f"JobId={job.number}", "StartTime=now")
        time.sleep(1)


@pytest.fixture(scope="module")
def whole(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cell, trained on one machine without a break."""
    folder = copy(finished, tmp_path_factory.mktemp("whole") / "run")
    assert begin(folder, *profile("local")).wait(LONG) == 0
    return folder


def test_a_cell_longer_than_the_time_of_its_job_ends_as_if_it_had_had_time(
    finished: Path, whole: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """It trains as long as the job may take, and a part of that goes by before it begins."""
    folder = copy(finished, tmp_path / "limited")
    with submit(folder, minutes=3, seconds=180, **slurm.variables) as sweep:
        let_begin(slurm, folder, sweep)
    assert sweep.returncode == 0, (folder / "said.log").read_text()
    (job,) = slurm.jobs(folder)
    assert set(jobs_of_attempts(folder, whole, why="time")) == {job.number}
    assert "its time was over; this one goes on at update" in (folder / f"logs/train/{LABELS}.log").read_text()


def test_a_job_that_makes_room_for_another_one_goes_back_into_the_queue(
    finished: Path, whole: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """Also where SLURM would end it for good, which Snakemake's plugin would not see."""
    folder = copy(finished, tmp_path / "preempted")
    urgent = ["--partition=urgent", "--ntasks=4", "--mem=100", f"--chdir={tmp_path}", "--wrap=sleep 3"]
    with submit(folder, minutes=30, seconds=30, **slurm.variables) as sweep:
        wait_for(lambda: list((folder / RECORD).parent.glob("state/state.safetensors")) != [])
        slurm.call("sbatch", *urgent)
        let_begin(slurm, folder, sweep)
    assert sweep.returncode == 0, (folder / "said.log").read_text()
    (job,) = slurm.jobs(folder)
    assert jobs_of_attempts(folder, whole, why="signal TERM") == [job.number] * 2


def test_a_job_that_slurm_ends_at_its_limit_is_tried_again_and_its_cell_goes_on(
    finished: Path, whole: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """SLURM ends the job of a trainer that can't ask when its time ends; that is a failure, and retries count."""
    folder = copy(finished, tmp_path / "limited")
    (tmp_path / "deaf").mkdir()
    (tmp_path / "deaf/sitecustomize.py").write_text(DEAF, encoding="utf-8")
    places = f"{ROOT / 'workflow'}:{tmp_path / 'deaf'}"
    with submit(folder, minutes=1, seconds=75, **slurm.variables, PYTHONPATH=places) as sweep:
        code = sweep.wait(LONG)
    said = (folder / "said.log").read_text()
    assert code == 0, said[-3000:]
    *ended, last = slurm.jobs(folder)
    assert ended
    assert ([job.state for job in ended], last.state) == (["TIMEOUT"] * len(ended), "COMPLETED")
    assert said.count("Trying to restart job") == len(ended)
    trained = jobs_of_attempts(folder, whole, why="signal TERM")
    # A job whose cell is finished in the instant of its limit is tried again as well, and puts the cell back.
    assert trained == [job.number for job in (*ended, last)][: len(trained)]
    assert "signal TERM; this one goes on at update" in (folder / f"logs/train/{LABELS}.log").read_text()
