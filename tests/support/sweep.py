"""Run the real workflow on the small study in a folder of its own, whole, killed, and again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from filelock import FileLock

from mtpeft.cells import CELLS_FOLDER, Cell
from mtpeft.config.load import DEFAULT_FILE, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.yaml_file import read_yaml
from mtpeft.front.snakemake import Events
from mtpeft.methods import METHODS
from mtpeft.steps.train import placed
from support.waiting import LONG

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "tests" / "small_study.yaml"
TABLES = ("--target", "cells", "tables")
SLOW = {
    "sizes": {"n200": {"pairs": 200, "updates": 400}},
    "methods": {"scratch": {"longer": 1}},
    "studies": {
        "budgets": {"methods": ["full", "lora", "none", "scratch", "retrieval"]},
        "languages": None,
        "data_sizes": None,
    },
}
"""Longer training, so that there is something to hit."""


def environment(**extra: str) -> dict[str, str]:
    """The environment of a run: the Python of the tests, the package of this checkout."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "workflow"),
        "PYTHONUNBUFFERED": "1",
        "MTPEFT_SAVE_SECONDS": "0.5",
        **extra,
    }


def start(
    folder: Path,
    *,
    overlay: Mapping[str, Any] | None = None,
    study: str | None = None,
    options: Sequence[str] = (),
    **extra: str,
) -> subprocess.Popen[str]:
    """Start a sweep in a process group of its own; its output goes to a log of its own.

    It is one of the small study, with changes, or one of another study file in the folder.
    """
    name = study or write_study(folder, overlay).name
    log = log_of(folder).open("w", encoding="utf-8")
    command = [sys.executable, "-m", "mtpeft", "sweep", "--configfile", name, *options]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**extra),
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def write_study(folder: Path, overlay: Mapping[str, Any] | None = None) -> Path:
    """The small study, with changes that a user makes in it, as the study file of a folder."""
    study = merge(yaml.safe_load(STUDY.read_text(encoding="utf-8")), overlay or {})
    file = folder / STUDY.name
    file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return file


def small_study(overlay: Mapping[str, Any] | None = None) -> Configuration:
    """The configuration of the small study, with changes."""
    return validate(merge(read_yaml(DEFAULT_FILE), merge(read_yaml(STUDY), overlay or {}))).named(STUDY.stem)


def run(folder: Path, **arguments: Any) -> tuple[int, str]:
    """Run a sweep to its end; returns its exit code and what it said."""
    log = log_of(folder)
    code = start(folder, **arguments).wait(timeout=LONG)
    return code, log.read_text(encoding="utf-8")


def log_of(folder: Path) -> Path:
    """The log file of the next sweep in a folder."""
    return folder / f"sweep-{len(list(folder.glob('sweep-*.log')))}.log"


def snakemake(folder: Path, *arguments: str, study: str = STUDY.name) -> subprocess.CompletedProcess[str]:
    """Call Snakemake itself on a study file in a folder, the small study if none is named, to its end."""
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", study]
    if not (folder / STUDY.name).exists():
        write_study(folder)
    command = [sys.executable, "-m", "snakemake", *where, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def mtpeft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call a command of the package in a folder, to its end."""
    command = [sys.executable, "-m", "mtpeft", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def planned(folder: Path, *targets: str, overlay: Mapping[str, Any] | None = None, root: Path = ROOT) -> dict[str, int]:
    """Jobs that Snakemake would run, by rule."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    profile = ["--workflow-profile", str(root / "workflow" / "profiles" / "local"), "--dry-run"]
    with tempfile.TemporaryDirectory() as elsewhere:
        files, events = [str(write_study(Path(elsewhere), overlay))], Events(Path(elsewhere) / "events.jsonl")
        done = subprocess.run(
            [*command, *profile, *events.options, "--configfile", *files, "--", *targets],
            cwd=root,
            env=environment() | {"PYTHONPATH": str(root / "workflow")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {rule: count for rule, count in events.job_counts().items() if rule != "all"}


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker which needs it makes, while the others wait for it."""
    common = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, made = common / f"shared-{name}", common / f"shared-{name}.made"
    with FileLock(common / f"shared-{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def copy(folder: Path, to: Path) -> Path:
    """A copy of a run, times included, which Snakemake takes for the run itself."""
    shutil.copytree(folder, to, symlinks=True)
    return to


TABLED = Path("results") / STUDY.stem
"""Folder of the tables and figures of the small study."""


def located(folder: Path, path: str) -> Path:
    """A file or folder that is named by labels, where it lies: names of folders and files may bear a digest besides."""
    found = folder
    for part in Path(path).parts:
        stem, dot, suffix = part.partition(".") if not re.fullmatch(r"[^.]*\d\.\d.*", part) else (part, "", "")
        digest = "-" + "[0-9a-f]" * 8
        with_digest = [] if (found / part).exists() else sorted(found.glob(f"{stem}{digest}{dot}{suffix}"))
        assert len(with_digest) < 2, f"{path} is {with_digest}"
        found = with_digest[0] if with_digest else found / part
    return found


def cell_name(labels: str, overlay: Mapping[str, Any] | None = None) -> str:
    """Labels of a cell of the small study with its digest, as they stand in paths and on command lines.

    Methods from outside that the study names are unknown to the process again after that.
    """
    try:
        return str(placed(small_study(overlay), Cell.parse(labels)).folder.relative_to(CELLS_FOLDER))
    finally:
        METHODS.forget_outside()


RESULTS = (f"{STUDY.stem}/scores.csv", "**/hypotheses/*.txt", "**/tuned/*", "**/checkpoint/*.safetensors")


def results(folder: Path) -> dict[str, bytes]:
    """Every file that a rerun must make again bit for bit: weights, hypotheses, scores."""
    found = {file for pattern in RESULTS for file in (folder / "results").glob(pattern) if file.is_file()}
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(found) if "timestamp" not in file.name}


def half_trained(folder: Path) -> list[Path]:
    """Saved states of cells and models that are being trained."""
    return list((folder / "results").glob("**/state/state.safetensors"))


def processes(folder: Path, word: str) -> list[psutil.Process]:
    """Living processes that work in a folder and have a word among their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        arguments = process.info["cmdline"] or ()
        if process.info["cwd"] == str(folder) and any(part == word for part in arguments):
            found.append(process)
    return found


def kill(folder: Path, sweep: subprocess.Popen[str], what: str) -> None:
    """Hit a running sweep in one of the ways in which sweeps are hit."""
    if what == "trainer":
        for process in processes(folder, "train"):
            process.kill()
    elif what == "snakemake":
        for process in processes(folder, "snakemake"):
            process.kill()
    elif what == "sweep":
        sweep.kill()
    elif what == "group":
        os.killpg(sweep.pid, signal.SIGKILL)
    elif what == "ctrl-c":
        os.killpg(sweep.pid, signal.SIGINT)
    elif what == "terminate":
        sweep.terminate()
