"""Files that jobs on a cluster have finished without Snakemake, and Snakemake started directly in a locked folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.cluster.folder_lock import lock_folder, read_holder
from mtpeft.config.load import load
from mtpeft.front.recovery import record_finished
from mtpeft.steps.base_models import model_home
from mtpeft.steps.evaluate_base import start_file
from mtpeft.steps.train import placed
from support.sweep import STUDY, copy, mtpeft, planned, results, snakemake, write_study

pytestmark = [pytest.mark.sweep, pytest.mark.slow]

CONFIGURATION = load([STUDY])
MODEL = [f"{model_home(CONFIGURATION, 'denoiser')}/{name}" for name in ("base.json", "checkpoint")]
MODEL += [start_file(CONFIGURATION, "denoiser", "es-en")]
CELLS = [Cell("small", "es-en", "n200", method, "b5", "1") for method in ("lora", "adapter")]
LORA, ADAPTER = (str(placed(CONFIGURATION, cell).folder) for cell in CELLS)
ANOTHER_RATE = {"methods": {"lora": {"learning_rate": 0.001}}}


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished sweep; Snakemake does not know how two of its cells were trained, how one was decoded and scored,
    and how a base model was made.
    """
    folder = copy(finished, tmp_path / "run")
    monkeypatch.chdir(folder)
    trained = [f"{cell}/{name}" for cell in (LORA, ADAPTER) for name in ("tuned", "train.json")]
    measured = [f"{LORA}/{name}" for name in ("hypotheses", "decode.json", "score.json")]
    done = snakemake(folder, "--cores", "1", "--cleanup-metadata", *trained, *measured, *MODEL)
    assert done.returncode == 0, done.stderr
    return folder


def recovered(*overlays: dict[str, Any], same: bool, targets: Sequence[str] = ("all",)) -> list[str]:
    files = [write_study(Path(), overlays[0] if overlays else None)]
    return list(record_finished(load(files), files, targets, since=0.0, same=same))


def test_files_that_jobs_have_finished_are_kept_and_follow_their_params_again(finished: Path, folder: Path) -> None:
    assert recovered(same=True) == ["10 files and folders were finished by jobs of an earlier run and are kept."]
    assert planned(folder) == {}
    assert planned(folder, overlay=ANOTHER_RATE)["train"] == 1
    assert results(folder) == results(finished)


def test_files_that_jobs_have_made_with_other_params_stay_and_are_not_used(folder: Path) -> None:
    (line,) = recovered(ANOTHER_RATE, same=False)
    assert line.startswith("5 files and folders")
    kept = ["train.json", "decode.json", "score.json"]
    assert all(Path(file).exists() for file in [*MODEL, f"{ADAPTER}/train.json", *(f"{LORA}/{name}" for name in kept)])
    jobs = planned(folder, overlay=ANOTHER_RATE)
    assert (jobs["train"], jobs["decode"], jobs["score"]) == (1, 1, 1)


def test_snakemake_itself_is_refused_beside_a_sweep_and_holds_the_folder_alone(folder: Path) -> None:
    (folder / ADAPTER / "score.json").unlink()
    with lock_folder() as lock:
        refused = snakemake(folder, "--cores", "1", "cells")
        assert refused.returncode != 0
        assert "Another sweep works in this folder (process" in refused.stderr
        assert not (folder / ADAPTER / "score.json").exists()
        assert snakemake(folder, "--cores", "1", "--dry-run", "cells").returncode == 0
        lock.update(needs_recovery=True)
    unrecovered = snakemake(folder, "--cores", "1", "cells")
    assert unrecovered.returncode != 0
    assert "run `python -m mtpeft jobs --wait`" in unrecovered.stderr
    forgotten = mtpeft(folder, "jobs", "--forget", "--configfile", STUDY.name)
    assert forgotten.returncode == 0, forgotten.stderr
    done = snakemake(folder, "--cores", "1", "cells")
    assert done.returncode == 0, done.stderr
    found = read_holder()
    assert found
    assert (found.ended, found.needs_recovery) == (True, False)
