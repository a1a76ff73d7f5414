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

LORA, PACED = (f"results/cells/small/es-en/n200/{cell}/1" for cell in ("lora/b5", "paced/native"))
CELLS = (LORA, PACED)
UPDATES = 60
OVERLAY = {
    "method_modules": [str(ROOT / "tests/paced_method.py")],
    "methods": {"paced": {"tuner": "paced", "learning_rate": 0.005}},
}
ONE_JOB = ["--groups", "train=cells", "--group-components", f"cells={len(CELLS)}"]
TWO_MINUTES = ["--set-resources", "train:runtime=2", "train:mem_mb=2000"]


def begin(folder: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    """Start the workflow for the cells, and nothing else: all that they are trained from is there."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY), encoding="utf-8")
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(STUDY), "overlay.yaml"]
    command = [sys.executable, "-m", "snakemake", *where, *options, "--", *(f"{cell}/train.json" for cell in CELLS)]
    said = (folder / "said.log").open("w", encoding="utf-8")
    return subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=said, stderr=said, text=True)


def profile(name: str) -> list[str]:
    return ["--workflow-profile", str(ROOT / "workflow/profiles" / name)]


def said_by(folder: Path, cell: str) -> str:
    return (folder / f"logs/train/{cell.removeprefix('results/cells/')}.log").read_text(encoding="utf-8")


def attempts(folder: Path, cell: str) -> list[dict[str, Any]]:
    return json.loads((folder / cell / "train.json").read_text(encoding="utf-8"))["execution"]["attempts"]


def test_a_cell_longer_than_the_time_of_its_job_ends_as_if_it_had_had_time(
    finished: Path, slurm: "Cluster", tmp_path: Path
) -> None:
    """It takes two minutes, as long as the job may, of which the start and another cell take a part."""
    folder, whole = (copy(finished, tmp_path / name) for name in ("limited", "whole"))
    for run in (folder, whole):
        (run / LORA / "train.json").unlink()
    assert begin(whole, *profile("local")).wait(600) == 0
    options = [*profile("slurm"), *ONE_JOB, *TWO_MINUTES, "--slurm-init-seconds-before-status-checks", "5"]
    with begin(folder, *options, **slurm.variables, **{PACE_VARIABLE: f"{120 / UPDATES}"}) as sweep:
        while sweep.poll() is None:
            for job in slurm.jobs(folder):
                if job.reason == "BeginTime":  # a job that was put back is held for two minutes
                    slurm.call("scontrol", "update", f"JobId={job.number}", "StartTime=now")
            time.sleep(1)
    assert sweep.returncode == 0, (folder / "said.log").read_text()
    (job,) = slurm.jobs(folder)
    entries = attempts(folder, PACED)
    assert {entry["slurm_job"] for entry in entries} == {job.number}
    *early, last = entries
    assert early
    assert {entry["why"] for entry in early} == {"time"}
    assert (early[0]["from_update"], last["to_update"], last["why"]) == (0, UPDATES, "finished")
    assert all(later["from_update"] == earlier["to_update"] for earlier, later in pairwise(entries))
    assert "its time was over; this one goes on at update" in said_by(folder, PACED)
    assert len(attempts(folder, LORA)) == 1
    assert "its results are put back" in said_by(folder, LORA)
    assert results(folder) == results(whole)
