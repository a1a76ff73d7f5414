"""Kill what submits jobs to a real SLURM and go on as the README says: no cell is trained twice at once, or is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.slurm import Cluster, Job
from support.sweep import (
    ROOT,
    SLOW,
    STUDY,
    cell_name,
    copy,
    environment,
    half_trained,
    planned,
    run,
    start,
    write_study,
)
from support.waiting import LONG, SOON, wait_for

pytestmark = pytest.mark.sweep

LABELS = [f"small/es-en/n200/{cell}/1" for cell in ("full/all", "lora/b5", "scratch/all")]
"""One more than the cluster has GPUs: two are trained and one waits."""
CELLS = [cell_name(labels, SLOW) for labels in LABELS]


def targets_of(overlay: dict[str, Any]) -> list[str]:
    """The records of training of the small study with changes."""
    return [f"results/cells/{cell_name(labels, overlay)}/train.json" for labels in LABELS]


TARGETS = targets_of(SLOW)
QUICK = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "15")
ANOTHER_RATE = SLOW | {"methods": SLOW["methods"] | {"lora": {"learning_rate": 0.001}}}


@pytest.fixture
def folder(slow: Path, slurm: Cluster, tmp_path: Path) -> Path:
    """A finished sweep without some of its cells, which are still to be trained, and without Snakemake's notes."""
    folder = copy(slow, tmp_path / "run")
    shutil.rmtree(folder / ".snakemake/metadata")
    for cell in CELLS:
        shutil.rmtree(folder / "results/cells" / cell)
    return folder


def trainings(slurm: Cluster, folder: Path, *states: str) -> list[Job]:
    """Jobs that train, in some states; without states all of them."""
    found = [job for job in slurm.jobs(folder) if job.comment == "rule_cells_train"]
    return [job for job in found if job.state in states or not states]


def sweep(folder: Path, slurm: Cluster, doing: Any) -> Any:
    """Start or run the sweep on the cluster."""
    options = ("--target", *TARGETS, "--profile", "slurm", "--", *QUICK)
    return doing(folder, overlay=SLOW, options=options, **slurm.variables)


def start_snakemake(folder: Path, slurm: Cluster) -> subprocess.Popen[str]:
    """Start Snakemake directly on the cluster."""
    study = write_study(folder, SLOW)
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", study.name, *QUICK]
    profile = ["--workflow-profile", str(ROOT / "workflow/profiles/slurm")]
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *profile, *where, "--", *TARGETS],
        cwd=folder,
        env=environment(**slurm.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def jobs(folder: Path, slurm: Cluster, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m mtpeft jobs` in a folder."""
    command = [sys.executable, "-m", "mtpeft", "jobs", "--configfile", STUDY.name, *options]
    said = {"capture_output": True, "text": True, "check": False}
    return subprocess.run([*command, "--target", *TARGETS], cwd=folder, env=environment(**slurm.variables), **said)


def until_trained_in_part(folder: Path, slurm: Cluster) -> None:
    """Wait until two cells are being trained, with something saved, and the third has been submitted."""
    wait_for(lambda: bool(half_trained(folder)) and len(trainings(slurm, folder)) == len(CELLS))


def trained(folder: Path) -> list[bytes]:
    """All weights that were trained."""
    return [file.read_bytes() for cell in CELLS for file in sorted((folder / "results/cells" / cell).glob("tuned/*"))]


def attempts(folder: Path) -> list[list[dict[str, Any]]]:
    """The attempts at training each cell, none of which may have begun before the last one had ended."""
    found = []
    for cell in CELLS:
        record = json.loads((folder / "results/cells" / cell / "train.json").read_text(encoding="utf-8"))
        entries = record["execution"]["attempts"]
        assert all(earlier["ended"] < later["started"] for earlier, later in pairwise(entries))
        assert entries[-1]["why"] == "finished"
        found.append(entries)
    return found


def test_jobs_of_a_killed_sweep_are_waited_for_and_what_they_make_is_kept(
    folder: Path, slow: Path, slurm: Cluster
) -> None:
    killed = sweep(folder, slurm, start)
    until_trained_in_part(folder, slurm)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(SOON)
    waiting, running = (trainings(slurm, folder, state) for state in ("PENDING", "RUNNING"))
    assert waiting and running
    for job in waiting:
        slurm.call("scontrol", "hold", job.number)  # else it begins if another one ends before it is taken back

    told = jobs(folder, slurm)
    assert "it is dead" in told.stdout
    assert all(cell in told.stdout for cell in CELLS if not (folder / "results/cells" / cell / "train.json").exists())

    code, said = sweep(folder, slurm, run)
    assert code == 0, said[-3000:]
    assert "jobs of an earlier run run on and are waited for" in said
    assert "were finished by jobs of an earlier run and are kept" in said
    assert trained(folder) == trained(slow)
    assert [len(entries) for entries in attempts(folder)] == [1, 1, 1]
    assert len(trainings(slurm, folder, "COMPLETED")) == len(CELLS)
    assert len(trainings(slurm, folder, "CANCELLED")) == len(waiting)
    assert planned(folder, *targets_of(ANOTHER_RATE), overlay=ANOTHER_RATE) == {"train": 1}


def test_jobs_of_a_killed_snakemake_are_cancelled_and_their_cells_go_on(
    folder: Path, slow: Path, slurm: Cluster
) -> None:
    killed = start_snakemake(folder, slurm)
    until_trained_in_part(folder, slurm)
    killed.kill()
    killed.wait(SOON)
    ended = jobs(folder, slurm, "--cancel")
    assert ended.returncode == 0, ended.stderr
    assert not trainings(slurm, folder, "PENDING", "RUNNING", "COMPLETING")

    again = start_snakemake(folder, slurm)
    said = again.communicate(timeout=LONG)[0]
    assert again.returncode == 0, said[-3000:]
    assert trained(folder) == trained(slow)
    went_on = [entries for entries in attempts(folder) if len(entries) > 1]
    assert all(entries[1]["from_update"] == entries[0]["to_update"] for entries in went_on)
    assert any(entries[1]["from_update"] > 0 for entries in went_on)


def test_ctrl_c_cancels_the_jobs_of_a_sweep(folder: Path, slow: Path, slurm: Cluster) -> None:
    stopped = sweep(folder, slurm, start)
    until_trained_in_part(folder, slurm)
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(LONG) != 0
    wait_for(lambda: not trainings(slurm, folder, "PENDING", "RUNNING", "COMPLETING"), LONG)
    assert trainings(slurm, folder, "CANCELLED")

    code, said = sweep(folder, slurm, run)
    assert code == 0, said[-3000:]
    assert trained(folder) == trained(slow)
    assert max(len(entries) for entries in attempts(folder)) == 2
