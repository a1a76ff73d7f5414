"""Scores of COMET in the configuration, the plan and the tables: where they are asked for, and nowhere else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtpeft.analysis.score_tables import CellMetrics, score_columns, write_tables
from mtpeft.analysis.summary import columns_by_run, estimate_columns, summary_columns, write_summary
from mtpeft.cells import Cell
from mtpeft.config.load import merge, validate
from mtpeft.config.metrics import metrics_asked_for
from mtpeft.core.errors import UserError
from mtpeft.core.records import MetricRecord
from mtpeft.metrics.base import METRICS
from mtpeft.metrics.environment import model_process
from mtpeft.steps import install_metric
from mtpeft.steps.cells_of_studies import placed_study_cells
from mtpeft.steps.score_with_metric import record_names
from mtpeft.steps.take_in_metric import model_record
from support.comet import rows_of
from support.config import DEFAULT
from support.findings import SENTENCES, configuration_of, write, write_cell
from support.fork_server import is_listening
from support.sweep import copy, planned, small_study
from support.waiting import wait_for

HYPERPARAMETERS = "class_identifier: regression_metric\npretrained_model: {}\n"
HUBS = {"hub": "somebody/metric@0123abc", "encoder": {"hub": "somebody/encoder@0123abc"}}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what looks like a model and its encoder."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path, "somebody/encoder")
    return tmp_path


def write_model(folder: Path, built_on: str) -> None:
    (folder / "model/checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "model/checkpoints/model.ckpt").write_bytes(b"weights")
    (folder / "model/hparams.yaml").write_text(HYPERPARAMETERS.format(built_on), encoding="utf-8")
    (folder / "encoder").mkdir(exist_ok=True)
    (folder / "encoder/config.json").write_text("{}", encoding="utf-8")


MODEL = {"path": "model/checkpoints/model.ckpt", "encoder": {"path": "encoder"}}


@pytest.mark.parametrize("given", [MODEL, HUBS, {**HUBS, "batch_size": 4, "threads": 2}], ids=str)
def test_a_model_is_a_file_or_a_revision_of_a_hub(given: dict[str, Any], files: Path) -> None:
    read = validate(merge(DEFAULT, {"comet": given})).comet
    assert (read.batch_size, read.threads) == (given.get("batch_size", 16), given.get("threads", 1))


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"batch_size": 4}, "'comet' must have one of 'path' and 'hub', and no other."),
    "two models": ({**MODEL, "hub": HUBS["hub"]}, "'comet' must have one of 'path' and 'hub', and no other."),
    "no revision": ({**HUBS, "hub": "somebody/metric"}, "'comet.hub' is 'somebody/metric'; write 'owner/name@commit'"),
    "a branch": (
        {**HUBS, "hub": "somebody/metric@main"},
        "'comet.hub' is 'somebody/metric@main'; write 'owner/name@commit'",
    ),
    "a branch of the encoder": (
        {**HUBS, "encoder": {"hub": "somebody/encoder@master"}},
        "'comet.encoder.hub' is 'somebody/encoder@master'; write 'owner/name@commit'",
    ),
    "no encoder": ({**MODEL, "encoder": {}}, "'comet.encoder' must have one of 'path' and 'hub', and no other."),
    "encoder of a hub's model missing": (
        {"hub": HUBS["hub"]},
        "'comet.encoder' is missing: the checkpoint of a COMET model does not hold the tokenizer of what it was built",
    ),
    "encoder missing": (
        {"path": MODEL["path"]},
        "'comet.encoder' is missing: the model was built on 'somebody/encoder', and its checkpoint does not hold the",
    ),
    "encoder empty": ({**MODEL, "encoder": {"path": "model"}}, "'comet.encoder.path' is 'model', but there is no conf"),
    "no file": ({**MODEL, "path": "no/such.ckpt"}, "'comet.path' is 'no/such.ckpt', but there is no such file; write"),
    "no hyperparameters": (
        {**MODEL, "path": "encoder/config.json"},
        "'comet.path' is 'encoder/config.json', but hparams.yaml is not what COMET saves beside it",
    ),
    "unknown key": ({**MODEL, "batchsize": 4}, "'comet.batchsize' is not a key of the configuration; did you mean 'ba"),
    "no batch": ({**MODEL, "batch_size": 0}, "'comet.batch_size' is 0; write a number above 0."),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_their_key_before_anything_runs(case: str, files: Path) -> None:
    given, expected = MISTAKES[case]
    with pytest.raises(UserError) as raised:
        validate(merge(DEFAULT, {"comet": given}))
    assert len(str(raised.value).splitlines()) == 1
    assert str(raised.value).startswith(expected)


# What a model was built on, whether an encoder is named beside it, and what is wrong with that.
BUILT_ON: dict[str, tuple[str, bool, str]] = {
    "a folder": ("{folder}/encoder", False, ""),
    "a folder, and named": ("{folder}/encoder", True, "'comet.encoder' is not read, since the model was built on"),
    "a folder that is gone": ("{folder}/gone", False, "was built on the folder {folder}/gone, which is not there"),
    "a way out": ("../../encoder", True, "built on '../../encoder', which is neither a whole path nor a name of the"),
}


@pytest.mark.parametrize("case", BUILT_ON)
def test_a_model_has_one_encoder_that_is_there(case: str, files: Path) -> None:
    built_on, named, expected = BUILT_ON[case]
    write_model(files, built_on.format(folder=files))
    given = MODEL if named else {"path": MODEL["path"]}
    try:
        validate(merge(DEFAULT, {"comet": given}))
        said = ""
    except UserError as error:
        said = str(error)
    assert expected.format(folder=files) in said
    assert bool(expected) == bool(said)


def test_cells_are_scored_once_and_only_tables_and_figures_made_anew(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    write_model(folder, "somebody/encoder")
    overlay = {"comet": {"path": str(folder / MODEL["path"]), "encoder": {"path": str(folder / "encoder")}}}
    cells = [file.parent for file in (folder / "results/cells").rglob("decode.json")]

    def jobs() -> dict[str, int]:
        found = planned(folder, "all", overlay=overlay)
        for rule in (
            "collect_all_scores",
            "collect_scores",
            "summarise_all",
            "summarise",
            "write_report_table",
            "draw_figure",
            "draw_efficiency",
        ):
            assert found.pop(rule)
        return found

    assert jobs() == {"install_metric": 1, "take_in_metric": 1, "score_with_metric": len(cells), "test_claims": 1}
    configuration = small_study(overlay)
    (name,), model = record_names(configuration), model_record(configuration, "comet")
    environment = install_metric.record("comet")
    for made in (folder / environment, folder / model, *(cell / f"{name}.json" for cell in cells[2:])):
        write(made, {})
    assert jobs() == {"score_with_metric": 2, "test_claims": 1}


def comet_record(cell: Cell, segments: np.ndarray | None) -> dict[str, Any]:
    measured = (
        {"sentences": SENTENCES, "score": float(np.mean(segments)), "segments": list(segments)}
        if (segments is not None)
        else None
    )
    return MetricRecord(
        cell=cell.named,
        status="ok" if measured else "diverged",
        params={},
        decoded_sha256="",
        model_sha256="",
        references={},
        name="somebody/metric@0123abc",
        model={},
        versions={},
        execution={},
        test_sets={"test": measured} if measured else {},
    ).model_dump()


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Cell, float]:
    """Cells of a study with records, and the mean of each in COMET; one has diverged."""
    monkeypatch.chdir(tmp_path)
    configuration = configuration_of()
    found = {}
    for number, cell in enumerate(placed_study_cells(configuration, configuration.studies["shares"])):
        diverged = cell.path.endswith("es-en/many/lora/tiny/2")
        write_cell(cell, 40.0, status="diverged" if diverged else "ok")
        segments = np.random.default_rng(number).normal(0.8, 0.1, SENTENCES)
        write(cell.folder / "comet.json", comet_record(cell, None if diverged else segments))
        found[cell] = np.nan if diverged else float(np.mean(segments))
    return found


def test_scores_have_its_columns_where_it_was_asked_for(cells: dict[Cell, float]) -> None:
    metrics = CellMetrics(scored={"comet": list(cells)})
    write_tables(cells, scores=Path("with.csv"), costs=Path("costs.csv"), metrics=metrics)
    write_tables(cells, scores=Path("without.csv"), costs=Path("costs.csv"))

    table, plain = rows_of("with.csv"), rows_of("without.csv")
    assert tuple(plain[0]) == score_columns()
    assert set(table[0]) == {*score_columns(), "comet", "comet_model"}
    assert [{name: row[name] for name in score_columns()} for row in table] == plain
    for row in table:
        mean = cells[Cell(*list(row.values())[:6])]
        assert (row["comet"] == "") == (row["status"] == "diverged") == np.isnan(mean)
        if row["comet"]:
            assert float(row["comet"]) == pytest.approx(mean)
            assert row["comet_model"] == "somebody/metric@0123abc"


def test_summaries_have_the_mean_over_seeds_inside_its_interval(cells: dict[Cell, float]) -> None:
    gone = next(cell for cell in cells if cell.path.endswith("de-en/many/full/all/1"))
    metrics = CellMetrics(scored={"comet": [cell for cell in cells if cell != gone]})
    write_summary(cells, output=Path("with.csv"), page=Path("with.md"), metrics=metrics)
    write_summary(cells, output=Path("without.csv"), page=Path("without.md"))

    table, plain = rows_of("with.csv"), rows_of("without.csv")
    assert tuple(plain[0]) == summary_columns()
    assert set(table[0]) == {
        *summary_columns(),
        *estimate_columns(("comet", "comet_minus_full", "comet_minus_none")),
        *columns_by_run(["comet"]),
    }
    assert [{name: row[name] for name in summary_columns()} for row in table] == plain
    for row in table:
        labels = list(row.values())[:5]
        seeds = [mean for cell, mean in cells.items() if list(cell.labels)[:5] == labels and cell != gone]
        assert float(row["comet"]) == pytest.approx(np.nanmean(seeds))
        assert float(row["comet_low"]) < float(row["comet"]) < float(row["comet_high"])
    # The standard error of 100 sentences that scatter by 0.1 is 0.01.
    single = next(row for row in table if row["method"] == "none")
    assert float(single["comet_high"]) - float(single["comet_low"]) == pytest.approx(2 * 1.96 * 0.01, rel=0.25)
    assert f"{float(single['comet']):.4f} [" in Path("with.md").read_text(encoding="utf-8")
    assert "comet" not in Path("without.md").read_text(encoding="utf-8")


def test_a_process_keeps_the_model_while_a_sweep_runs(files: Path) -> None:
    comet = validate(merge(DEFAULT, {"comet": MODEL})).comet
    with model_process(METRICS["comet"], comet) as variables:
        (name,) = variables.values()
        wait_for(lambda: is_listening(name))
    # A fork that was made a moment ago dies with it, and has the socket until then.
    wait_for(lambda: not is_listening(name))


def test_only_metrics_that_are_asked_for_are_kept_loaded() -> None:
    assert metrics_asked_for(validate(DEFAULT)) == []
