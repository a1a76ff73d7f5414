"""A running sweep reports how far it is, whatever its jobs do to their files meanwhile."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cells import Cell
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.schema import Configuration
from mtpeft.front import progress
from mtpeft.front.preview import assess_finished, draw_finished
from mtpeft.front.progress import Progress, seconds_left
from mtpeft.front.status import failures, state_of
from mtpeft.steps.cells_of_studies import placed_cells
from support.front import configured, fail, finish
from support.steps import params_of

SMALL = [Cell("small", "es-en", "n1", "full", "all", str(seed)) for seed in range(1, 9)]
LARGE = [Cell("large", "es-en", "n1", "full", "all", str(seed)) for seed in range(1, 9)]


@pytest.mark.parametrize(
    ("finished", "now", "missing", "elapsed", "wanted"),
    [
        ({}, 0, SMALL, 60, None),
        (dict.fromkeys(SMALL[:4], 10.0), 0, SMALL[4:], 60, None),
        (dict.fromkeys(SMALL[:4], 10.0), 4, SMALL[4:], 40, 40),
        (dict.fromkeys(SMALL[:4], 10.0), 4, SMALL[4:], 20, 20),
        (dict.fromkeys(SMALL[:4], 10.0), 2, SMALL[4:], 20, 40),
        (dict.fromkeys(SMALL[:4], 10.0) | {LARGE[0]: 30.0}, 4, LARGE[1:3], 40, 60),
        (dict.fromkeys(SMALL[:4], 10.0), 4, LARGE[:2], 40, 20),
        (dict.fromkeys(SMALL[:4], 10.0), 4, [], 40, 0),
    ],
)
def test_time_left_follows_from_cells_of_the_same_model_and_size(
    finished: dict[Cell, float], now: int, missing: list[Cell], elapsed: float, wanted: float | None
) -> None:
    left = seconds_left(finished, SMALL[:now], missing, elapsed=elapsed)
    assert left == wanted


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.0)
    return configured(tmp_path)


def remove_when_read(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cell's files removed as soon as a file is opened, as Snakemake does when a job begins."""
    open_file = Path.open

    def opening(path: Path, *arguments: Any, **options: Any) -> Any:
        stream = open_file(path, *arguments, **options)
        if path == file:
            shutil.rmtree(folder, ignore_errors=True)
        return stream

    monkeypatch.setattr(Path, "open", opening)


@pytest.mark.parametrize(
    ("watched", "opened", "reported"),
    [(0, "train.json", [2, 1, 1]), (0, "score.json", [2, 2, 1]), (1, "train.json", [2, 2, 1])],
)
def test_a_cell_that_is_begun_anew_while_its_records_are_read_stops_no_sweep(
    watched: int,
    opened: str,
    reported: list[int],
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cells = placed_cells(configuration)
    for cell in cells[:2]:
        finish(cell)
    sweep = Progress(configuration, [])
    sweep.report()
    remove_when_read(cells[0].folder, cells[watched].folder / opened, monkeypatch)
    sweep.report()
    sweep.report()

    assert [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()] == reported


def test_the_first_figure_is_drawn_when_it_has_one_seed_of_every_system(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = []
    monkeypatch.setattr(Progress, "_draw", lambda sweep: drawn.append(sweep))
    sweep = Progress(configuration, [])
    told = []
    for cell in [cell for cell in placed_cells(configuration) if cell.seed != "2"]:
        sweep.report()
        told.append(len(drawn))
        finish(cell)
    sweep.report()
    sweep.report()

    assert (told, len(drawn)) == ([0] * len(told), 1)
    assert (
        "every system of 'budgets' has a finished cell; its figure is drawn: results/mine/preview/budgets.pdf"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("name", "bytes_left", "state"), [("train", 100, "missing"), ("decode", 0, "stopped"), ("score", 100, "stopped")]
)
def test_a_cell_of_which_a_record_is_half_there_is_not_finished(
    name: str, bytes_left: int, state: str, configuration: Configuration
) -> None:
    cell = placed_cells(configuration)[0]
    finish(cell)
    os.truncate(cell.folder / f"{name}.json", bytes_left)
    assert state_of(configuration, cell) == state


def test_a_failure_whose_note_is_being_replaced_is_not_told(configuration: Configuration) -> None:
    cells = placed_cells(configuration)
    fail(cells[0])
    fail(cells[1])
    os.truncate(cells[0].folder / "failed.json", 9)
    assert [line.split(": ")[1] for line in failures(cells)] == [f"train of {cells[1].path}"]


def test_a_preview_says_when_a_cell_vanished_under_it(
    configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = claim_cells(params_of("test_claims", configuration))[0]
    remove_when_read(cell.folder, cell.folder / "score.json", monkeypatch)
    finish(cell)
    (line,) = draw_finished(configuration, {"budgets": tmp_path / "tables"}, folder=tmp_path)
    assert line.endswith("run `make preview` again.")
    finish(cell)
    assert assess_finished(configuration, folder=tmp_path).endswith("run `make preview` again.")
