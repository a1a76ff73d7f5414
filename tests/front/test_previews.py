"""A running sweep counts its cells and draws previews, whatever its jobs do to their files meanwhile."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.contrasts import claim_cells
from mtpeft.config.schema import Configuration
from mtpeft.front import previews
from mtpeft.front.preview import assess_finished, draw_finished
from mtpeft.front.previews import Previews
from mtpeft.front.status import failures, is_finished, state_of
from mtpeft.steps.cells_of_studies import placed_cells
from support.front import configured, fail, finish
from support.steps import params_of


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(previews, "REPORT_SECONDS", 0.0)
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


@pytest.mark.parametrize(("watched", "opened"), [(0, "train.json"), (0, "score.json"), (1, "train.json")])
def test_a_cell_that_is_begun_anew_while_its_records_are_read_stops_no_count(
    watched: int, opened: str, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = placed_cells(configuration)
    for cell in cells[:2]:
        finish(cell)
    remove_when_read(cells[0].folder, cells[watched].folder / opened, monkeypatch)
    counted = [sum(is_finished(configuration, cell) for cell in cells) for _ in range(2)]

    assert counted in ([2, 1], [1, 1])


def test_the_first_figure_is_drawn_when_it_has_one_seed_of_every_system(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = []
    monkeypatch.setattr(Previews, "_draw", lambda sweep: drawn.append(sweep))
    sweep = Previews(configuration, [])
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
    assert [line.split(": ")[1] for line in failures(cells).values()] == [f"train of {cells[1].path}"]


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
