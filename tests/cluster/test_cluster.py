"""The profile for a cluster on a real SLURM: the results of one machine, whatever happens to the jobs."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors import safe_open

from support.slurm import Cluster, filled_in
from support.sweep import ROOT, SLOW, cell_name, copy, environment, planned, processes, results, write_study
from support.waiting import LONG, SOON, wait_for

pytestmark = [pytest.mark.sweep, pytest.mark.cluster]

LORA, FULL, SCRATCH = (cell_name(f"small/es-en/n200/{cell}/1", SLOW) for cell in ("lora/b5", "full/all", "scratch/all"))
TARGETS = ("cells", "results/small_study/scores.csv")
HUNGRY = """
import json, sys, threading, time
from pathlib import Path

def saved_update():
    try:
        content = Path("results/cells/{cell}/state/state.safetensors").read_bytes()
    except FileNotFoundError:
        return 0
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["progress"])["step"]

def eat():
    while not saved_update():
        time.sleep(0.1)
    Path("has_eaten").touch()
    meal = b"x" * 2_000_000_000
    time.sleep(60)

if "{cell}" in sys.orig_argv and "train" in sys.orig_argv and not Path("has_eaten").exists():
    threading.Thread(target=eat, daemon=True).start()
"""
"""Read by every Python that starts: the trainer of a cell takes two gigabytes once it has saved an update, one time."""


@contextlib.contextmanager
def submitted(
    folder: Path,
    slurm: Cluster,
    profile: Path,
    *,
    overlay: Mapping[str, Any] | None = None,
    targets: Sequence[str] = TARGETS,
    **extra: str,
) -> Iterator[subprocess.Popen[str]]:
    """Snakemake on the small study with a profile for the cluster; what runs at the end is killed, jobs as well."""
    study = write_study(folder, overlay)
    files = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", study.name]
    with said_by(folder).open("w", encoding="utf-8") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--workflow-profile", str(profile), *files, "--", *targets],
            cwd=folder,
            env=environment(**slurm.variables, **extra),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        slurm.clear()


def said_by(folder: Path) -> Path:
    """The file that Snakemake's output goes to."""
    return folder / "snakemake.log"


def without(run: Path, folder: Path, *cells: str) -> Path:
    """A copy of a run in which some cells are still to be trained."""
    copy(run, folder)
    for cell in cells:
        shutil.rmtree(folder / "results/cells" / cell)
    return folder


def trainer_of(folder: Path, cell: str) -> psutil.Process | None:
    """The process that trains a cell."""
    trainers = {process.pid for process in processes(folder, "train")}
    return next((process for process in processes(folder, cell) if process.pid in trainers), None)


def has_saved(folder: Path, cell: str) -> bool:
    """True while there is a state from which the training of a cell can go on after an update."""
    file = folder / "results/cells" / cell / "state/state.safetensors"
    with contextlib.suppress(FileNotFoundError), safe_open(file, framework="pt") as state:
        return json.loads(state.metadata()["progress"])["step"] > 0
    return False


def test_a_study_on_a_cluster_is_that_of_one_machine(slurm: Cluster, finished: Path, tmp_path: Path) -> None:
    """From the text to the figures, on a cluster whose cells share allocations."""
    folder = tmp_path / "run"
    folder.mkdir()
    profile = filled_in(tmp_path / "profile", {"sharing: 1": "sharing: 4"})
    with submitted(folder, slurm, profile, targets=["all"]) as running:
        code = running.wait(LONG)
    assert code == 0, said_by(folder).read_text(encoding="utf-8")[-5000:]
    assert results(folder) == results(finished)
    assert planned(folder) == {}, "one machine has nothing to add"
    asked_as_one(folder, slurm)


def asked_as_one(folder: Path, slurm: Cluster) -> None:
    """Cells share allocations of one GPU, one CPU and the memory of one cell, each for as long as its cells need."""
    numbers = [job.number for job in slurm.jobs(folder) if job.comment == "rule_cells_train"]
    shown = [slurm.call("scontrol", "--oneliner", "show", "job", number) for number in numbers]
    asked = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in shown]
    assert {(job["TresPerJob"], job["NumCPUs"], job["MinMemoryNode"]) for job in asked} == {
        ("gres:gpu:1", "1", "16000M")
    }
    cells = len(list((folder / "results/cells").glob("*/*/*/*/*/*/train.json")))
    hours = [int(job["TimeLimit"].split(":")[0]) for job in asked]
    assert sum(hours) == 4 * cells
    assert max(hours) == 4 * 4


def test_two_gpu_jobs_get_two_devices_and_a_third_one_waits(slurm: Cluster, slow: Path, tmp_path: Path) -> None:
    """The trainer of a job whose Snakemake is killed dies with it."""
    cells, found = (LORA, FULL, SCRATCH), list[psutil.Process]()
    folder = without(slow, tmp_path / "run", *cells)

    def two_are_trained() -> bool:
        found[:] = [trainer for cell in cells if (trainer := trainer_of(folder, cell))]
        return len(found) == 2

    with submitted(folder, slurm, filled_in(tmp_path / "profile", {}), overlay=SLOW):
        wait_for(two_are_trained)
        devices = {trainer.environ()["CUDA_VISIBLE_DEVICES"] for trainer in found}
        waiting = [job.reason for job in slurm.jobs(folder) if job.state == "PENDING"]
        psutil.Process(found[0].ppid()).kill()
        wait_for(lambda: found[0] not in [trainer_of(folder, cell) for cell in cells], SOON)
    assert devices == {"0", "1"}
    assert waiting == ["Resources"]


def test_jobs_that_are_cancelled_or_out_of_memory_go_on_and_end_with_the_same_result(
    slurm: Cluster, slow: Path, tmp_path: Path
) -> None:
    folder = without(slow, tmp_path / "run", LORA, FULL)
    (tmp_path / "hungry").mkdir()
    (tmp_path / "hungry/sitecustomize.py").write_text(HUNGRY.format(cell=FULL), encoding="utf-8")
    places = f"{ROOT / 'workflow'}:{tmp_path / 'hungry'}"
    profile = filled_in(tmp_path / "profile", {"16000 * attempt": "1500 * attempt"})
    with submitted(folder, slurm, profile, overlay=SLOW, PYTHONPATH=places) as running:
        wait_for(lambda: has_saved(folder, LORA))
        trainer = trainer_of(folder, LORA)
        assert trainer
        slurm.call("scancel", trainer.environ()["SLURM_JOB_ID"])
        code = running.wait(LONG)
    said = said_by(folder).read_text(encoding="utf-8")
    assert code == 0, said[-5000:]
    assert results(folder) == results(slow)
    for cell, why, told in ((LORA, "signal TERM", "signal TERM"), (FULL, None, "killed, by its memory limit")):
        record = json.loads((folder / "results/cells" / cell / "train.json").read_text(encoding="utf-8"))
        first, last = record["execution"]["attempts"]
        assert (first.get("why"), last["why"], record["starts"]) == (why, "finished", 2)
        assert last["from_update"] > 0
        log = (folder / f"logs/train/{cell}.log").read_text(encoding="utf-8")
        assert told in log and f"this one goes on at update {last['from_update']}" in log
    assert said.count("Trying to restart job") == 2
    memory = slurm.call("squeue", "--noheader", "--states=all", "--sort=i", "--format=%Z|%k|%m").splitlines()
    asked = [line.rpartition("|")[2] for line in memory if line.startswith(f"{folder}|rule_cells_train|")]
    assert asked == ["1500M", "1500M", "3000M", "3000M"]
