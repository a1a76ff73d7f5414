"""Hit a running sweep where it hurts, start it again, and find the same bits as without the hit."""

import random
import shutil
import time
from pathlib import Path

import pytest

from sweep_material import copy, kill, processes, results, run, start

pytestmark = pytest.mark.sweep

CELLS = ("es-en/n200/lora/b5/1", "es-en/n200/full/all/1", "es-en/n200/adapter/b5/1", "de-en/n200/full/all/1")
SLOW = {"sizes": {"n200": {"pairs": 200, "updates": 400}}}


@pytest.fixture(scope="module")
def slow(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run with longer training, so that there is something to hit."""
    folder = copy(finished, tmp_path_factory.mktemp("slow") / "run")
    code, said = run(folder, overlay=SLOW)
    assert code == 0, said[-3000:]
    return folder


@pytest.mark.parametrize("what", ["trainer", "snakemake", "sweep", "group", "ctrl-c", "terminate"])
def test_the_same_command_goes_on_after(slow: Path, tmp_path: Path, what: str) -> None:
    moment = random.Random().uniform(4.0, 14.0)
    print(f"{what} is hit after {moment:.2f} s")
    folder = copy(slow, tmp_path / "run")
    for cell in CELLS:
        shutil.rmtree(folder / "results/cells/small" / cell)
    sweep = start(folder, overlay=SLOW)
    time.sleep(moment)
    kill(folder, sweep, what)
    sweep.wait(timeout=120)
    gone_by = time.monotonic() + 10
    while processes(folder, "mtpeft") and time.monotonic() < gone_by:
        time.sleep(0.1)
    assert processes(folder, "mtpeft") == [], "a step lives on as a second writer"
    code, said = run(folder, overlay=SLOW)
    assert code == 0, said[-3000:]
    assert results(folder) == results(slow)


def test_a_second_sweep_in_the_same_folder_is_refused(slow: Path, tmp_path: Path) -> None:
    folder = copy(slow, tmp_path / "run")
    shutil.rmtree(folder / "results/cells/small" / CELLS[0])
    first = start(folder, overlay=SLOW)
    time.sleep(3)
    code, said = run(folder, overlay=SLOW)
    assert code == 2
    assert "Another sweep works in this folder" in said
    assert first.wait(timeout=120) == 0
    assert results(folder) == results(slow)
