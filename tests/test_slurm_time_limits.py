"""On a real SLURM: a cell that takes longer than its job may."""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mtpeft.records import read_record
from paced_method import PACE_VARIABLE
from sweep_material import ROOT, STUDY, copy, environment, results

if TYPE_CHECKING:
    from slurm_material import Cluster

LABELS = "small/es-en/n200/paced/native/1"
RECORD = Path(f"results/cells/{LABELS}/train.json")
UPDATES = 60
OVERLAY = {
    "method_modules": [str(ROOT / "tests/paced_method.py")],
    "methods": {"paced": {"tuner": "paced", "learning_rate": 0.005}},
}
TWO_MINUTES = ["--set-resources", "train:runtime=2", "train:mem_mb=2000"]


def begin(folder: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    """Start the workflow for the cell, and nothing else: all that it is trained from is there."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY), encoding="utf-8")
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(STUDY), "overlay.yaml"]
    command = [sys.executable, "-m", "snakemake", *where, *options, "--", str(RECORD)]
    said = (folder / "said.log").open("w", encoding="utf-8")
    return subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=said, stderr=said, text=True)


def profile(name: str) -> list[str]:
    return ["--workflow-profile", str(ROOT / "workflow/profiles" / name)]


def test_a_cell_longer_than_the_time_of_its_job_ends_as_if_it_had_had_time(
    finished: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """It trains for two minutes, as long as the job may take, and a part of that goes by before it begins."""
    folder, whole = (copy(finished, tmp_path / name) for name in ("limited", "whole"))
    assert begin(whole, *profile("local")).wait(600) == 0
    options = [*profile("slurm"), *TWO_MINUTES, "--slurm-init-seconds-before-status-checks", "5"]
    with begin(folder, *options, **slurm.variables, **{PACE_VARIABLE: f"{120 / UPDATES}"}) as sweep:
        while sweep.poll() is None:
            for job in slurm.jobs(folder):
                if job.reason == "BeginTime":  # a job that was put back is held for two minutes
                    slurm.call("scontrol", "update", f"JobId={job.number}", "StartTime=now")
            time.sleep(1)
    assert sweep.returncode == 0, (folder / "said.log").read_text()
    (job,) = slurm.jobs(folder)
    entries: list[dict[str, Any]] = read_record(folder / RECORD)["execution"]["attempts"]
    assert {entry["slurm_job"] for entry in entries} == {job.number}
    *early, last = entries
    assert early
    assert {entry["why"] for entry in early} == {"time"}
    moves = [(entry["from_update"] or 0, entry["to_update"]) for entry in entries]
    assert (moves[0][0], moves[-1][1], last["why"]) == (0, UPDATES, "finished")
    assert all(earlier[1] == later[0] for earlier, later in pairwise(moves))
    assert "its time was over; this one goes on at update" in (folder / f"logs/train/{LABELS}.log").read_text()
    assert results(folder) == results(whole)
