"""On a real SLURM: cells that take longer than their job may."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from paced_method import PACE_VARIABLE
from sweep_material import ROOT, STUDY, copy, environment, results

if TYPE_CHECKING:
    from slurm_material import Cluster

CELLS = [f"results/cells/small/es-en/n200/paced/native/{seed}" for seed in (1, 2)]
UPDATES = 60
OVERLAY = {
    "method_modules": [str(ROOT / "tests/paced_method.py")],
    "methods": {"paced": {"tuner": "paced", "learning_rate": 0.005}},
}
ONE_JOB = ["--groups", "train=cells", "--group-components", f"cells={len(CELLS)}"]
ONE_MINUTE = ["--set-resources", "train:runtime=1", "train:mem_mb=2000"]


def begin(folder: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    """Start the workflow for the cells, and nothing else: all that they are trained from is there."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY), encoding="utf-8")
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(STUDY), "overlay.yaml"]
    command = [sys.executable, "-m", "snakemake", *where, *options, "--", *(f"{cell}/train.json" for cell in CELLS)]
    said = (folder / "said.log").open("w", encoding="utf-8")
    return subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=said, stderr=said, text=True)


def profile(name: str) -> list[str]:
    return ["--workflow-profile", str(ROOT / "workflow/profiles" / name)]


def attempts(folder: Path, cell: str) -> list[dict[str, Any]]:
    return json.loads((folder / cell / "train.json").read_text(encoding="utf-8"))["execution"]["attempts"]


def test_cells_longer_than_the_time_of_their_job_end_as_if_they_had_had_time(
    finished: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """Two cells of 25 seconds and more share a job of a minute, whose start takes a part of that."""
    folder, whole = (copy(finished, tmp_path / name) for name in ("limited", "whole"))
    assert begin(whole, *profile("local")).wait(600) == 0
    options = [*profile("slurm"), *ONE_JOB, *ONE_MINUTE, "--slurm-init-seconds-before-status-checks", "5"]
    with begin(folder, *options, **slurm.variables, **{PACE_VARIABLE: f"{25 / UPDATES}"}) as sweep:
        while sweep.poll() is None:
            for job in slurm.jobs(folder):
                if job.reason == "BeginTime":  # a job that was put back is held for two minutes
                    slurm.call("scontrol", "update", f"JobId={job.number}", "StartTime=now")
            time.sleep(1)
    assert sweep.returncode == 0, (folder / "said.log").read_text()
    (job,) = slurm.jobs(folder)
    made = [attempts(folder, cell) for cell in CELLS]
    assert {entry["slurm_job"] for entries in made for entry in entries} == {job.number}
    assert {entry["why"] for entries in made for entry in entries} == {"time", "finished"}
    for entries in made:
        assert entries[0]["from_update"] == 0
        assert all(later["from_update"] == earlier["to_update"] for earlier, later in pairwise(entries))
        assert (entries[-1]["to_update"], entries[-1]["why"]) == (UPDATES, "finished")
    said = [(folder / f"logs/train/{cell.removeprefix('results/cells/')}.log").read_text() for cell in CELLS]
    assert any("its results are put back" in log for log in said)
    assert any("its time was over; this one goes on at update" in log for log in said)
    assert results(folder) == results(whole)
