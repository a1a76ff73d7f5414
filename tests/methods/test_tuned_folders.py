"""Folders of trained cells: what is in them, and who opens them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

import mtpeft
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.training.untrained import record_untrained
from support.adapter import ADAPTER_FILE, FOLDER_TYPES, PEFT, WITH_EMBEDDINGS, base_folder, batch, build, logits
from support.model import MAX_POSITIONS, cell, train_cell, train_params

WORKFLOW = Path(__file__).parents[2] / "workflow"
RATES = {"full": 0.03, "scratch": 0.03, **dict.fromkeys(PEFT, 0.1), **dict.fromkeys(WITH_EMBEDDINGS, 0.01)}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    prepare_torch(1)


OPENED = """
import {first}, {second}, sys, torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM
model = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1]), sys.argv[2])
assert model.peft_config["default"].peft_type == "BOTTLENECK"
print(sorted(model.peft_config["default"].bottleneck_pattern.items()))
"""


@pytest.mark.parametrize(("first", "second"), [("mtpeft", "peft"), ("peft", "mtpeft")])
def test_importing_mtpeft_is_enough_for_peft(sweep: Path, tmp_path: Path, first: str, second: str) -> None:
    model, allocation = build(sweep, "adapter")
    model.save_pretrained(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", OPENED.format(first=first, second=second), base_folder(sweep), tmp_path],
        env={"PYTHONPATH": str(WORKFLOW), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(allocation.sizes.items()))


def test_importing_mtpeft_loads_nothing_heavy() -> None:
    code = "import mtpeft, sys; print(sorted({'torch', 'peft', 'transformers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(WORKFLOW)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def cells(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained cell of each method, opened from any working directory."""
    folder = tmp_path_factory.mktemp("cells")
    return {
        method: train_cell(sweep, folder / method, train_params(method, learning_rate=rate)).parent
        for method, rate in RATES.items()
    }


@pytest.mark.parametrize("method", RATES)
def test_a_cell_opens_and_translates(cells: dict[str, Path], method: str) -> None:
    translator = mtpeft.load(cells[method])
    first, second = translator(["Abre la puerta del jardín", "Crea una carpeta nueva"])
    assert isinstance(first, str)
    assert translator(["Crea una carpeta nueva"]) == [second]
    assert translator([]) == []


def test_the_untouched_base_opens_as_a_cell(sweep: Path, tmp_path: Path) -> None:
    params = {key: train_params("full")[key] for key in ("languages", "threads", "search")}
    params["method"] = {"method": "none"}
    base = sweep / "results/models/tiny/base.json"
    record_untrained(params, cell("none"), base=base, subset=None, record=tmp_path / "train.json")
    assert len(mtpeft.load(tmp_path)(["Abre la puerta", "Cierra la puerta"])) == 2


def test_transformers_alone_opens_full_fine_tuning(cells: dict[str, Path], sweep: Path) -> None:
    tuned = AutoModelForSeq2SeqLM.from_pretrained(cells["full"] / "tuned").eval()
    inputs = batch(sweep)
    assert torch.equal(logits(tuned, inputs), logits(mtpeft.load(cells["full"]).model, inputs))
    assert read_record(cells["full"] / "train.json")["best_step"] > 0


@pytest.mark.parametrize("method", PEFT)
def test_training_leaves_the_base_as_it_was_and_opens_as_it_was_saved(
    cells: dict[str, Path], sweep: Path, method: str
) -> None:
    record, inputs = read_record(cells[method] / "train.json"), batch(sweep)
    plain = logits(load_base(base_folder(sweep)).eval(), inputs)
    tuned = open_tuned(base_folder(sweep), cells[method] / "tuned").eval()
    assert record["best_step"] > 0
    assert not torch.allclose(logits(tuned, inputs), plain)
    with tuned.disable_adapter():
        assert torch.equal(logits(tuned, inputs), plain)
    assert torch.equal(logits(mtpeft.load(cells[method]).model, inputs), logits(tuned, inputs))
    stored = sum(tensor.numel() for tensor in load_file(cells[method] / "tuned" / ADAPTER_FILE).values())
    assert stored == record["trained_parameters"]


@pytest.mark.parametrize("method", PEFT)
def test_a_tuned_folder_is_a_whole_peft_folder(cells: dict[str, Path], method: str) -> None:
    tuned = cells[method] / "tuned"
    assert sorted(file.name for file in tuned.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = read_record(tuned / "adapter_config.json")
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["peft_type"] == FOLDER_TYPES[method]


def _changed(folder: Path, target: Path, **changes: Any) -> Path:
    shutil.copytree(folder, target)
    record = read_record(folder / "train.json")
    write_record(target / "train.json", record | changes)
    return target


def test_a_folder_without_a_trained_model_is_refused(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"names no cell; write its six labels"):
        mtpeft.load("nowhere")
    with pytest.raises(UserError, match=r"holds no trained cell; train it with"):
        mtpeft.load("tiny/es-en/n44/lora/b5/2")
    diverged = _changed(cells["lora"], tmp_path / "diverged", status="diverged")
    with pytest.raises(UserError, match="diverged in training"):
        mtpeft.load(diverged)
    record_untrained({}, cell("retrieval"), base=None, subset=None, record=tmp_path / "memory/train.json")
    with pytest.raises(UserError, match="has no model: its method 'retrieval'"):
        mtpeft.load(tmp_path / "memory")
    inputs = read_record(cells["lora"] / "train.json")["inputs"]
    elsewhere = _changed(cells["lora"], tmp_path / "elsewhere", inputs=inputs | {"base": "results/models/no/base.json"})
    with pytest.raises(UserError, match=r"results/models/no/base.json.*folder of the sweep"):
        mtpeft.load(elsewhere)


def test_a_sentence_longer_than_the_model_reads_is_cut(cells: dict[str, Path]) -> None:
    translator = mtpeft.load(cells["adapter"])
    once, thrice = ("Reinicia el ordenador. " * times for times in (MAX_POSITIONS, 3 * MAX_POSITIONS))
    assert translator([once]) == translator([thrice])
