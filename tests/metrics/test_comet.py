"""COMET in its own environment: a real, tiny model scores cells, and what is wrong with one is a sentence."""

import pickle
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mtpeft.cluster.environment import shared_variables
from mtpeft.config.load import load, merge
from mtpeft.core.files import canonical, read_record, sha256_of, write_record
from mtpeft.isolated.install import pins_of
from mtpeft.steps import install_metric
from mtpeft.steps.cells_of_studies import placed_cells, results_folder
from mtpeft.steps.decontaminate_pair import reference
from mtpeft.steps.freshness import scored_now
from support.comet import CELL, ENCODER, SAMPLES, Comet, rows_of, write_hypotheses
from support.findings import write_cell
from support.hub import COMMIT, REPOSITORY, Hub, serve
from support.mtdata import command
from support.record import schema_mistakes
from support.sweep import ROOT, STUDY, mtpeft, snakemake
from support.text_records import write_text_records

RECORD = CELL.folder / "comet.json"
STUDIES = {
    **dict.fromkeys(("languages", "models", "data_sizes")),
    "budgets": {"methods": ["full", "none"], "seeds": [1, 2]},
}


@pytest.fixture
def here(comet: Comet, own_life: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comet:
    """The same, for steps in a folder of their own that has a decoded cell."""
    monkeypatch.chdir(tmp_path)
    for name, value in {**shared_variables(), **comet.variables}.items():
        monkeypatch.setenv(name, value)
    write_hypotheses(CELL)
    return comet


def test_a_cell_has_the_scores_that_comet_gives(here: Comet) -> None:
    assert here.take_in(here.checkpoint) == 0
    assert here.score() == 0

    record = read_record(RECORD)
    assert schema_mistakes(RECORD, "metric") == []
    measured = record["test_sets"]["test"]
    assert measured["segments"] == here.scores
    assert len(set(here.scores)) > 1
    assert measured["score"] == pytest.approx(sum(here.scores) / len(SAMPLES))
    assert record["name"] == str(here.checkpoint)
    assert record["model"][str(here.checkpoint)] == sha256_of(here.checkpoint)
    assert record["model"][str(here.encoder / "tokenizer.json")] == sha256_of(here.encoder / "tokenizer.json")
    pinned = dict(pin.split("==") for pin in pins_of("comet"))
    for package in ("unbabel-comet", "transformers", "numpy"):
        assert record["versions"][package] == pinned[package]
    assert record["model_sha256"] == sha256_of(Path("data/metrics/comet-1/model.json"))
    assert record["decoded_sha256"] == sha256_of(CELL.folder / "decode.json")


def test_the_scores_of_a_test_set_depend_on_no_other_test_set(here: Comet) -> None:
    here.take_in(here.checkpoint)
    here.score(batch_size=4)
    alone = read_record(RECORD)["test_sets"]["test"]["segments"]
    shutil.copy("data/pairs/es-en/test.tsv", "data/pairs/es-en/news.tsv")
    shutil.copy(CELL.folder / "hypotheses/test.txt", CELL.folder / "hypotheses/news.txt")
    params = canonical({"step_version": 1, "metric": "comet", "unbabel-comet": "2.2.7", "batch_size": 4, "threads": 1})
    files = [
        "--model",
        "data/metrics/comet-1/model.json",
        "--environment",
        str(here.environment),
        "--record",
        str(RECORD),
    ]
    sets = ["--references", "data/pairs/es-en/news.tsv", "data/pairs/es-en/test.tsv"]
    decoded = ["--decoded", str(CELL.folder / "decode.json")]

    assert command("score_with_metric", "--cell", CELL.path, "--params", params, *decoded, *sets, *files) == 0

    found = {name: measured["segments"] for name, measured in read_record(RECORD)["test_sets"].items()}
    assert found == {"news": alone, "test": alone}


def test_a_cell_that_diverged_is_passed_on_as_a_gap(here: Comet) -> None:
    here.take_in(here.checkpoint)
    write_record(CELL.folder / "decode.json", {"status": "diverged"})
    Path("nothing").mkdir()

    assert here.score() == 0

    record = read_record(RECORD)
    assert schema_mistakes(RECORD, "metric") == []
    assert (record["status"], record["test_sets"]) == ("diverged", {})


class Malice:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (Path("harmed").absolute(),)


def _pickled(folder: Path) -> None:
    (folder / "checkpoints/model.ckpt").write_bytes(pickle.dumps({"state_dict": Malice()}))


def _damaged(folder: Path) -> None:
    file = folder / "checkpoints/model.ckpt"
    file.write_bytes(file.read_bytes()[:2000])


def _of_other_class(folder: Path) -> None:
    hyperparameters = folder / "hparams.yaml"
    hyperparameters.write_text(hyperparameters.read_text().replace("regression_metric", "unified_metric"))


def _lacking_weights(folder: Path) -> None:
    file = folder / "checkpoints/model.ckpt"
    content = torch.load(file, weights_only=True)
    del content["state_dict"]["estimator.ff.0.bias"], content["state_dict"]["layerwise_attention.gamma"]
    torch.save(content, file)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "code": (_pickled, "it holds more than weights and plain values, and nothing else is unpickled"),
    "damaged": (_damaged, "zip archive"),
    "another class": (_of_other_class, "Error.* in loading state_dict for UnifiedMetric: size mismatch for"),
    "lacking weights": (_lacking_weights, "it lacks weights, 2 of them, such as layerwise_attention.gamma"),
}
"""Damages to a model, and the reason in the message."""


@pytest.mark.parametrize("case", BROKEN)
def test_an_unusable_model_is_refused(case: str, here: Comet, capsys: pytest.CaptureFixture[str]) -> None:
    change, reason = BROKEN[case]
    change(Path(shutil.copytree(here.folder / "model", "model")))

    assert here.take_in(Path("model/checkpoints/model.ckpt")) == 2

    said = capsys.readouterr().err
    assert re.fullmatch(
        rf"mtpeft: COMET can't score with model/checkpoints/model\.ckpt \(.*{reason}.*\): name in 'comet' a .*\.\n",
        said,
    )
    assert not Path("data/metrics/comet-1/model.json").exists()
    assert not Path("harmed").exists()


def test_an_encoder_that_the_model_was_not_built_on_is_refused(here: Comet, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(here.encoder, "other")
    config = read_record(Path("other/config.json"))
    write_record(Path("other/config.json"), config | {"num_hidden_layers": 3})
    shutil.copytree(here.folder / "model", "model")

    assert here.take_in(Path("model/checkpoints/model.ckpt"), path="other") == 2

    assert "in loading state_dict for RegressionMetric: size mismatch for" in capsys.readouterr().err


def test_an_environment_that_is_broken_is_named(
    here: Comet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.take_in(here.checkpoint)
    monkeypatch.delenv(*here.variables)
    (Path("broken") / "packages").mkdir(parents=True)
    shutil.copy(here.environment, "broken")

    assert here.score(environment=Path("broken/installed.json")) == 2

    assert capsys.readouterr().err == (
        "mtpeft: COMET does not work in broken (ModuleNotFoundError: No module named 'comet'): delete that folder and "
        "run again.\n"
    )
    assert not RECORD.exists()


def test_an_installation_that_fails_has_pips_own_words(
    own_life: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    params = canonical({"step_version": 1, "metric": "comet", "requirements": ["entmax==1.3"]})

    assert command("install_metric", "--params", params, "--record", "data/environment/installed.json") == 2

    assert "pip could not install COMET (ERROR: No matching distribution found for entmax" in capsys.readouterr().err
    assert list(Path("data").iterdir()) == []


def test_the_workflow_scores_each_cell_once_and_puts_the_scores_into_its_tables(here: Comet) -> None:
    """With the rules of COMET and of the tables alone, since what comes before them is made by hand."""
    rules = ["score_with_metric", "take_in_metric", "collect_all_scores", "summarise_all"]
    overlay = merge(here.configured(), {"studies": STUDIES, "findings": None})
    _lay_over(overlay, here)
    configuration = load([STUDY, Path("overlay.yaml")])
    cells = placed_cells(configuration)
    write_text_records(configuration, "es-en")
    for cell in cells:
        write_cell(cell, 40.0, status="diverged" if cell.seed == "2" else "ok")
        write_hypotheses(cell, text=Path(reference(configuration, cell.pair, "test")))
    results = results_folder(configuration)

    _make([f"{results}/scores.csv", f"{results}/summary.csv"], rules)

    scores = {(row["method"], row["seed"]): row["comet"] for row in rows_of(f"{results}/scores.csv")}
    mean = sum(here.scores) / len(here.scores)
    assert {key: float(score) for key, score in scores.items() if score} == {
        ("full", "1"): pytest.approx(mean),
        ("none", "any"): pytest.approx(mean),
    }
    assert scores["full", "2"] == ""
    assert {row["comet"] for row in rows_of(f"{results}/summary.csv")} == {f"{mean:.10g}"}

    assert set(scored_now(configuration, cells)["comet"]) == set(cells)
    cells[0].on_own.metric_record("comet").unlink()
    assert set(scored_now(configuration, cells)["comet"]) == set(cells[1:])
    for change in ({"batch_size": 3}, {"encoder": {"path": "elsewhere"}}):
        shutil.copytree(here.encoder, "elsewhere", dirs_exist_ok=True)
        Path("overlay.yaml").write_text(yaml.safe_dump(merge(overlay, {"comet": change})), encoding="utf-8")
        changed = load([STUDY, Path("overlay.yaml")])
        assert scored_now(changed, placed_cells(changed)) == {"comet": []}


def test_a_cell_over_several_pairs_is_scored_on_each(here: Comet) -> None:
    pairs = {"budgets": {"pairs": ["de-en+es-en"], "methods": ["full"], "seeds": [1]}}
    overlay = merge(here.configured(), {"studies": merge(STUDIES, pairs), "findings": None})
    _lay_over(overlay, here)
    configuration = load([STUDY, Path("overlay.yaml")])
    (cell,) = placed_cells(configuration)
    for place in cell.measured:
        write_hypotheses(place, text=Path(reference(configuration, place.pair, "test")))

    records = [place.metric_record("comet") for place in cell.measured]
    _make(list(map(str, records)), ["score_with_metric_other", "take_in_metric"])

    assert [read_record(record)["test_sets"]["test"]["segments"] for record in records] == [here.scores] * 2
    assert [schema_mistakes(record, "metric") for record in records] == [[], []]


def _lay_over(overlay: Mapping[str, Any], here: Comet) -> None:
    """Write an overlay for Snakemake, and put COMET where the workflow installs it."""
    Path("overlay.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    environment = Path(install_metric.record("comet")).parent
    environment.parent.mkdir(parents=True)
    environment.symlink_to(here.environment.parent.absolute())


def _make(targets: list[str], rules: list[str]) -> None:
    """Have Snakemake make targets by some rules alone."""
    profile = ["--workflow-profile", str(ROOT / "workflow/profiles/local")]
    done = snakemake(Path(), "overlay.yaml", *profile, "--allowed-rules", *rules, "--", *targets)
    assert done.returncode == 0, done.stderr[-3000:]


def _take_in_of_hub(folder: Path, url: str, environment: Path) -> tuple[int, str]:
    """Exit code of the step that takes in a model of a hub with its encoder, and what it says."""
    named = {"hub": f"{REPOSITORY}@{COMMIT}"}
    params = canonical({"step_version": 1, "metric": "comet", "model": named, "encoder": named})
    files = ["--environment", str(environment), "--record", "data/metrics/comet-1/model.json"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_ENDPOINT", url)
        patched.setenv("HF_HUB_OFFLINE", "0")
        done = mtpeft(folder, "take_in_metric", "--params", params, *files)
    return done.returncode, done.stderr


def test_a_model_of_a_hub_is_fetched_at_its_commit_with_its_encoder(here: Comet) -> None:
    shutil.copytree(here.folder / "model", "repository")
    shutil.copytree(here.encoder, "repository", dirs_exist_ok=True)
    with serve(Hub(Path("repository"))) as hub:
        assert _take_in_of_hub(Path(), hub.url, here.environment) == (0, "")
    # What follows is offline.
    assert hub.asked["GET model.safetensors"] == 0, "the encoder's weights are in the checkpoint"

    assert here.score() == 0

    record = read_record(RECORD)
    assert record["test_sets"]["test"]["segments"] == here.scores
    assert record["name"] == f"{REPOSITORY}@{COMMIT}"
    assert read_record(Path("data/metrics/comet-1/model.json"))["commits"] == {"model": COMMIT, "encoder": COMMIT}
    assert (Path("data/metrics/comet-1/encoders") / ENCODER).resolve().is_dir()


@pytest.mark.parametrize("there", [False, True])
def test_a_hub_that_fails_gives_an_error_message(there: bool, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with serve(Hub(tmp_path, gone=not there)) as hub:
        code, said = _take_in_of_hub(tmp_path, hub.url, tmp_path / "installed.json")
    assert (code, said.count("\n")) == (2, 1)
    reason = "names a model without checkpoints/model.ckpt and hparams.yaml" if there else "could not be fetched ("
    assert said.startswith(f"mtpeft: 'comet.hub' {reason}")
    assert not (tmp_path / "data/metrics/comet-1/model.json").exists()
