"""A training says how far it is in a small file that whoever watches reads, and that no result depends on."""

import time
from pathlib import Path

import pytest

from mtpeft.core.progress_file import (
    PROGRESS_FILE,
    TrainingProgress,
    read_progress,
    read_progress_of_search,
    write_progress,
)
from mtpeft.training import progress
from mtpeft.training.progress import ProgressBar


def test_the_file_has_the_last_update_its_loss_and_the_dev_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FILE_SECONDS", 0.0)
    history = [{"step": 0, "score": 30.0}]
    with ProgressBar(updates=10, done=4, folder=tmp_path, history=history) as bar:
        begun = read_progress(tmp_path)
        bar.update(3.5, tokens=100)
        bar.update(3.25, tokens=100)
        history += [{"step": 6, "score": 41.0}, {"step": 7, "score": 40.0}]
        bar.evaluated(40.0, 41.0)
        found = read_progress(tmp_path)
    assert begun is not None and (begun.update, begun.loss, begun.dev_score, begun.seconds_left) == (
        4,
        None,
        30.0,
        None,
    )
    assert found is not None and (found.update, found.updates, found.loss) == (6, 10, 3.25)
    assert (found.dev_score, found.best_dev_score) == (40.0, 41.0)
    assert found.tokens_per_second > 0 and found.seconds_left is not None
    assert [file.name for file in tmp_path.iterdir()] == [PROGRESS_FILE]


def test_between_evaluations_the_file_is_written_every_few_seconds_alone(tmp_path: Path) -> None:
    with ProgressBar(updates=10, done=0, folder=tmp_path, history=[]) as bar:
        before = (tmp_path / PROGRESS_FILE).stat().st_ino
        bar.update(3.5, tokens=100)
        assert (tmp_path / PROGRESS_FILE).stat().st_ino == before


def test_of_several_trainings_the_newest_is_read_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    assert read_progress(tmp_path / "missing") is None
    for place, age in (("0.001/es-en/1", 60), ("0.002/es-en/1", 5)):
        (tmp_path / place).mkdir(parents=True)
        write_progress(tmp_path / place, TrainingProgress(age, 100, 3.0, 10.0, None, None, 1.0, time.time() - age))
    found = read_progress(tmp_path)
    assert found is not None and (found.update, found.trial) == (5, 0)
    (tmp_path / "0.001/es-en/1/trial.json").touch()
    searched = read_progress_of_search(tmp_path)
    assert searched is not None and (searched.update, searched.trial) == (5, 2)
    for file, text in zip(tmp_path.rglob(PROGRESS_FILE), ("{", '{"update": 3, "of": 100}'), strict=True):
        file.write_text(text)
    assert read_progress(tmp_path) is read_progress_of_search(tmp_path) is None


def test_a_folder_that_can_not_be_written_stops_no_training(tmp_path: Path) -> None:
    with ProgressBar(updates=2, done=0, folder=tmp_path / "missing", history=[]) as bar:
        bar.update(3.0, tokens=10)
        bar.evaluated(40.0, 40.0)
    assert not (tmp_path / "missing").exists()
