"""Training that begins with the weights of another cell: its first score, its resume, and what it ends with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtpeft.core.errors import DamagedError, StoppedError
from mtpeft.core.files import sha256_of
from mtpeft.training.finetune import CellInputs, finetune
from mtpeft.training.rate_search import search_rate
from support.model import cell, inputs, train_cell, train_params
from support.training import at_update, results


def params(method: str, **changes: Any) -> dict[str, Any]:
    made = train_params(method, learning_rate=0.02, **changes)
    made["method"]["start_from"] = {"method": method, "pair": "de-en"}
    return made


@pytest.fixture
def parent(sweep: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return train_cell(sweep, tmp_path / "parent", train_params(request.param, learning_rate=0.02))


def train_child(sweep: Path, folder: Path, parent: Path, own: dict[str, Any]) -> dict[str, Any]:
    files: CellInputs = replace(inputs(sweep), parent=parent)
    finetune(own, cell("lora" if own["budget"] else "full"), inputs=files, record=folder / "train.json")
    return json.loads((folder / "train.json").read_text(encoding="utf-8"))


def best(record: dict[str, Any]) -> float:
    return max(entry["score"] for entry in record["dev_history"])


@pytest.mark.parametrize("parent", ["lora", "full", "layernorm"], indirect=True)
def test_the_first_score_is_that_of_the_other_cell(sweep: Path, tmp_path: Path, parent: Path) -> None:
    before = json.loads(parent.read_text(encoding="utf-8"))
    record = train_child(sweep, tmp_path / "child", parent, params(before["params"]["method"]["method"]))
    # Both are evaluated on one dev set here, so that the start of the one is the best of the other.
    assert record["dev_history"][0] == {"step": 0.0, "score": pytest.approx(best(before))}
    assert record["inputs"]["parent"] == str(parent)
    assert record["trained_parameters"] == before["trained_parameters"]


@pytest.mark.parametrize("parent", ["lora"], indirect=True)
def test_it_goes_on_after_a_stop_with_the_same_bits(
    sweep: Path, tmp_path: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise StoppedError("so the test wants it")

    train_child(sweep, tmp_path / "whole", parent, params("lora"))
    monkeypatch.setenv("MTPEFT_SAVE_SECONDS", "0")
    with pytest.raises(StoppedError), at_update(7, stop, monkeypatch):
        train_child(sweep, tmp_path / "halved", parent, params("lora"))
    train_child(sweep, tmp_path / "halved", parent, params("lora"))
    assert results(tmp_path / "halved") == results(tmp_path / "whole")


@pytest.mark.parametrize("parent", ["lora"], indirect=True)
def test_weights_that_are_not_those_that_were_trained_are_refused(sweep: Path, tmp_path: Path, parent: Path) -> None:
    weights = parent.parent / "tuned" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\1\1")
    with pytest.raises(DamagedError):
        train_child(sweep, tmp_path / "child", parent, params("lora"))


@pytest.mark.parametrize("parent", ["lora"], indirect=True)
def test_all_trials_of_a_search_begin_with_the_other_cell(sweep: Path, tmp_path: Path, parent: Path) -> None:
    trial = params("lora")
    del trial["optimisation"]["learning_rate"]
    told = {"pair": "es-en", "candidates": [0.01, 0.02, 0.04], "extensions": 0, "training_pairs": 44, "trial": trial}
    labels = {"model": "tiny", "size": "n44", "method": "lora", "budget": "b5"}
    record = tmp_path / "rates/b5.json"
    search_rate(told, labels=labels, inputs=[replace(inputs(sweep), parent=parent)], record=record)
    found = json.loads(record.read_text(encoding="utf-8"))
    start = best(json.loads(parent.read_text(encoding="utf-8")))
    assert [own["dev_history"][0]["score"] for own in found["trials"]] == pytest.approx([start] * 3)
    assert found["inputs"]["parent_sha256"] == sha256_of(parent)
