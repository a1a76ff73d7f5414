"""Hit a running sweep where it hurts, start it again, and find the same bits as without the hit."""

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from support.sweep import SLOW, TABLES, cell_name, copy, half_trained, kill, located, processes, results, run, start
from support.waiting import LONG, SOON, wait_for

pytestmark = [pytest.mark.sweep, pytest.mark.slow]

CELLS = [f"results/cells/{cell_name(f'small/es-en/n200/{cell}/1', SLOW)}" for cell in ("lora/b5", "full/all")]
"""Folders of cells; beside them are those of the finished run, which was trained for a shorter time."""
DENOISER = f"results/cells/{cell_name('denoiser/es-en/n200/full/all/1', SLOW)}"
HITS = ("group", "trainer", "snakemake", "sweep", "ctrl-c", "terminate")


def hit(folder: Path, what: str) -> None:
    """Start a sweep, hit it at a random moment after a trainer has saved something, and start it again."""
    sweep = start(folder, overlay=SLOW, options=TABLES)
    wait_for(lambda: bool(half_trained(folder)) or sweep.poll() is not None)
    moment = random.Random(what).uniform(0.0, 3.0)
    time.sleep(moment)
    kill(folder, sweep, what)
    sweep.wait(timeout=LONG)
    if what != "trainer":
        wait_for(lambda: not processes(folder, "mtpeft"), SOON)
        assert half_trained(folder), "nothing was left to go on from"
    code, said = run(folder, overlay=SLOW, options=TABLES)
    assert code == 0, said[-3000:]
    assert "Another sweep" not in said
    assert half_trained(folder) == []


@pytest.mark.parametrize("what", HITS)
def test_the_same_command_goes_on_after(slow: Path, tmp_path: Path, what: str) -> None:
    folder = copy(slow, tmp_path / "run")
    for cell in CELLS:
        shutil.rmtree(folder / cell)
    hit(folder, what)
    assert results(folder) == results(slow)
    starts = [json.loads((folder / cell / "train.json").read_text())["starts"] for cell in CELLS]
    assert max(starts) == 2, "a half-trained cell should have gone on from its state"


def test_pre_training_goes_on_after_the_group_is_killed(slow: Path, tmp_path: Path) -> None:
    folder = copy(slow, tmp_path / "run")
    shutil.rmtree(located(folder, "results/models/denoiser"))
    shutil.rmtree(folder / DENOISER)
    hit(folder, "group")
    assert results(folder) == results(slow)
    assert json.loads(located(folder, "results/models/denoiser/base.json").read_text())["training"]["starts"] == 2


def test_a_second_sweep_in_the_same_folder_is_refused(slow: Path, tmp_path: Path) -> None:
    folder = copy(slow, tmp_path / "run")
    shutil.rmtree(folder / CELLS[0])
    first = start(folder, overlay=SLOW, options=TABLES)
    wait_for(lambda: bool(processes(folder, "snakemake")))
    code, said = run(folder, overlay=SLOW)
    assert code == 2
    assert "Another sweep works in this folder" in said
    assert first.wait(timeout=LONG) == 0
    assert results(folder) == results(slow)
