"""Trackers are given what stands in the records, once, and read it back with their own libraries."""

from pathlib import Path

import pytest

from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.front.commands import COMMANDS
from mtpeft.front.study_records import begin_study
from mtpeft.front.trackers.track import TRACKERS, track
from mtpeft.steps.cells_of_studies import placed_cells
from support.front import configured, finish

RESULTS = Path("results/mine")
HISTORY = [
    {"step": 0, "score": 30.5},
    {"step": 120, "score": 41.25, "loss": 2.5},
    {"step": 240, "score": 40.0, "loss": 1.25},
]


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    configuration = configured(tmp_path)
    begin_study(configuration, [tmp_path / "mine.yaml"])
    first, second = placed_cells(configuration)[:2]
    for cell, chrf in ((first, 43.5), (second, 40.0)):
        finish(cell, chrf)
        write_record(cell.folder / "train.json", read_record(cell.folder / "train.json") | {"dev_history": HISTORY})
    return configuration


def test_tensorboard_reads_scores_and_the_curve_of_a_cell(configuration: Configuration) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert list(track(RESULTS, ["tensorboard"])) == [f"{RESULTS}/trackers/tensorboard: 2 of 2 finished cells are new."]
    cell = placed_cells(configuration)[0]
    events = EventAccumulator(f"{RESULTS}/trackers/tensorboard/{cell.path}")
    events.Reload()
    assert [(own.step, own.value) for own in events.Scalars("dev")] == [(0, 30.5), (120, 41.25), (240, 40.0)]
    assert [(own.step, own.value) for own in events.Scalars("loss")] == [(120, 2.5), (240, 1.25)]
    assert [own.value for own in events.Scalars("test/chrf")] == [43.5]
    assert [own.value for own in events.Scalars("tokens_per_second")] == [2000.0]
    assert cell.method in events.Tensors("params/text_summary")[0].tensor_proto.string_val[0].decode()


def test_mlflow_reads_scores_params_and_the_curve_of_a_cell(configuration: Configuration) -> None:
    from mlflow import MlflowClient

    assert list(track(RESULTS, ["mlflow"])) == [f"{RESULTS}/trackers/mlflow: 2 of 2 finished cells are new."]
    cell = placed_cells(configuration)[0]
    client = MlflowClient(f"sqlite:///{(RESULTS / 'trackers/mlflow/mlflow.db').absolute()}")
    experiment = client.get_experiment_by_name("mine")
    (run,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{cell.path}'")
    assert run.data.metrics["test/chrf"] == 43.5
    assert {key: run.data.params[key] for key in cell.named} == cell.named
    curve = client.get_metric_history(run.info.run_id, "dev")
    assert sorted((own.step, own.value) for own in curve) == [(0, 30.5), (120, 41.25), (240, 40.0)]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_what_is_tracked_is_not_tracked_twice_and_a_cell_made_anew_replaces_its_run(
    configuration: Configuration, name: str
) -> None:
    list(track(RESULTS, [name]))
    assert "0 of 2" in next(track(RESULTS, [name]))
    finish(placed_cells(configuration)[0], 44.0)
    assert "1 of 2" in next(track(RESULTS, [name]))
    if name == "mlflow":
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{(RESULTS / 'trackers/mlflow/mlflow.db').absolute()}")
        experiment = client.get_experiment_by_name("mine")
        scores = [run.data.metrics["test/chrf"] for run in client.search_runs([experiment.experiment_id])]
        assert sorted(scores) == [40.0, 44.0]


def test_a_tracker_that_is_not_installed_is_named_with_how_to_install_it(configuration: Configuration) -> None:
    with pytest.raises(UserError, match=r"'wandb' is not installed; call `\.venv/bin/pip install wandb` first"):
        list(track(RESULTS, ["wandb"]))


def test_a_study_without_finished_cells_has_nothing_to_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no finished cell"):
        list(track(RESULTS, ["tensorboard"]))


def test_the_command_names_every_tracker() -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser()
    next(own for own in COMMANDS if own.name == "track").add_options(parser)
    assert parser.parse_args(["--to", *TRACKERS]).to == list(TRACKERS)
