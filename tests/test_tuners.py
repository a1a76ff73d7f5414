"""The tuners: what they train, what they compute, and that peft itself opens what they save."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForSeq2SeqLM

import mtpeft
from model_material import BUDGET, MAX_POSITIONS, METHODS, arrays, cell, train_cell, train_settings
from mtpeft.errors import UserError
from mtpeft.methods import METHODS as REGISTRY
from mtpeft.methods.budget import Allocation, allocate
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.models.shapes import read_shape
from mtpeft.records import read_record, write_record
from mtpeft.tokens.arrays import model_inputs, read_arrays
from mtpeft.training.untrained import record_untrained

WORKFLOW = Path(__file__).parents[1] / "workflow"
SIZED = ("adapter", "lora")
RATES = {"full": 0.03, "scratch": 0.03, "adapter": 0.1, "lora": 0.1}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    prepare_torch(1)


def base_folder(sweep: Path) -> Path:
    return sweep / "results/models/tiny/checkpoint"


def build(sweep: Path, method: str) -> tuple[nn.Module, Allocation]:
    """The method at its budget on the tiny base, as the trainer builds it."""
    config = json.loads((base_folder(sweep) / "config.json").read_text(encoding="utf-8"))
    shape, entry = read_shape(config), REGISTRY[method]
    allocation = allocate(entry.sites(shape, METHODS[method]), int(BUDGET * shape.total))
    torch.manual_seed(1)
    return entry.apply(load_base(base_folder(sweep)), allocation.sizes, METHODS[method]).eval(), allocation


def batch(sweep: Path) -> dict[str, torch.Tensor]:
    pairs = read_arrays(arrays(sweep, "dev"))
    rows = range(len(pairs.source))
    return dict(model_inputs([pairs.source[row] for row in rows], [pairs.target[row] for row in rows], start=2))


@torch.no_grad()
def logits(model: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(**{name: value for name, value in inputs.items() if name != "labels"}).logits


def stir(model: nn.Module) -> None:
    """Give every trainable weight a value, as training would."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))


@pytest.mark.parametrize("method", SIZED)
def test_untrained_tuner_changes_nothing(sweep: Path, method: str) -> None:
    inputs = batch(sweep)
    model, _ = build(sweep, method)
    assert torch.equal(logits(model, inputs), logits(load_base(base_folder(sweep)).eval(), inputs))


@pytest.mark.parametrize("method", SIZED)
def test_what_is_counted_is_trained_and_saved(sweep: Path, tmp_path: Path, method: str) -> None:
    model, allocation = build(sweep, method)
    model.save_pretrained(tmp_path)
    saved = sum(tensor.numel() for tensor in load_file(tmp_path / "adapter_model.safetensors").values())
    assert parameters(model)[1] == saved == allocation.trained
    assert allocation.trained + allocation.left_over == int(BUDGET * (parameters(model)[0] - saved))


@pytest.mark.parametrize("method", SIZED)
def test_every_trained_parameter_gets_a_gradient_and_no_other(sweep: Path, method: str) -> None:
    model, _ = build(sweep, method)
    stir(model)
    inputs = batch(sweep)
    model(**inputs).loss.backward()
    for name, parameter in model.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert moved == parameter.requires_grad, name


@pytest.mark.parametrize("method", SIZED)
def test_greedy_search_with_and_without_cache_agree(sweep: Path, method: str) -> None:
    model, _ = build(sweep, method)
    stir(model)
    inputs = batch(sweep)
    given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    cached, recomputed = (
        model.generate(**given, num_beams=1, do_sample=False, max_new_tokens=20, use_cache=use_cache).tolist()
        for use_cache in (True, False)
    )
    plain = load_base(base_folder(sweep)).eval().generate(**given, num_beams=1, do_sample=False, max_new_tokens=20)
    assert cached == recomputed
    assert cached != plain.tolist()


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("method", SIZED)
def test_peft_gives_back_what_was_saved(sweep: Path, tmp_path: Path, method: str, low_memory: bool) -> None:
    model, _ = build(sweep, method)
    stir(model)
    model.save_pretrained(tmp_path)
    opened = PeftModel.from_pretrained(load_base(base_folder(sweep)), tmp_path, low_cpu_mem_usage=low_memory).eval()
    inputs = batch(sweep)
    assert torch.equal(logits(opened, inputs), logits(model, inputs))
    assert parameters(opened)[1] == 0


@pytest.mark.parametrize("method", SIZED)
def test_without_its_tuner_the_model_is_the_base_again(sweep: Path, method: str) -> None:
    inputs = batch(sweep)
    plain = logits(load_base(base_folder(sweep)).eval(), inputs)
    model, _ = build(sweep, method)
    stir(model)
    with model.disable_adapter():
        assert torch.equal(logits(model, inputs), plain)
    assert not torch.allclose(logits(model, inputs), plain)
    bare = model.unload()
    assert torch.equal(logits(bare, inputs), plain)
    assert [name for name, _ in bare.named_modules()] == [
        name for name, _ in load_base(base_folder(sweep)).named_modules()
    ]


def test_adapters_refuse_to_be_merged(sweep: Path) -> None:
    model, _ = build(sweep, "adapter")
    with pytest.raises(ValueError, match="can't be merged"):
        model.merge_and_unload()


def test_merged_lora_computes_the_same(sweep: Path) -> None:
    model, _ = build(sweep, "lora")
    stir(model)
    inputs = batch(sweep)
    before = logits(model, inputs)
    merged = logits(model.merge_and_unload(), inputs)
    assert (merged - before).abs().max() < 1e-5 * before.abs().max()


def test_every_adapter_has_the_bottleneck_that_was_allocated(sweep: Path) -> None:
    model, allocation = build(sweep, "adapter")
    found = {
        name.removeprefix("base_model.model."): module.bottleneck_down["default"].out_features
        for name, module in model.named_modules()
        if hasattr(module, "bottleneck_down")
    }
    assert found == allocation.sizes
    assert len(set(found.values())) > 1


def test_every_linear_layer_has_the_rank_that_was_allocated_and_one_scaling(sweep: Path) -> None:
    model, allocation = build(sweep, "lora")
    layers = {
        name.removeprefix("base_model.model."): module
        for name, module in model.named_modules()
        if isinstance(module, peft.tuners.lora.LoraLayer)
    }
    assert {name: layer.r["default"] for name, layer in layers.items()} == allocation.sizes
    assert len(set(allocation.sizes.values())) > 1
    assert {layer.scaling["default"] for layer in layers.values()} == {METHODS["lora"]["scaling"]}


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
        method: train_cell(sweep, folder / method, train_settings(method, learning_rate=rate)).parent
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
    settings = {key: train_settings("full")[key] for key in ("languages", "threads", "search")}
    base = sweep / "results/models/tiny/base.json"
    record_untrained(settings, cell("none"), base=base, subset=None, record=tmp_path / "train.json")
    assert len(mtpeft.load(tmp_path)(["Abre la puerta", "Cierra la puerta"])) == 2


def test_transformers_alone_opens_full_fine_tuning(cells: dict[str, Path], sweep: Path) -> None:
    tuned = AutoModelForSeq2SeqLM.from_pretrained(cells["full"] / "tuned").eval()
    inputs = batch(sweep)
    assert torch.equal(logits(tuned, inputs), logits(mtpeft.load(cells["full"]).model, inputs))
    assert read_record(cells["full"] / "train.json")["best_step"] > 0


@pytest.mark.parametrize("method", SIZED)
def test_a_tuned_folder_is_a_whole_peft_folder(cells: dict[str, Path], method: str) -> None:
    tuned = cells[method] / "tuned"
    assert sorted(file.name for file in tuned.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = read_record(tuned / "adapter_config.json")
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["peft_type"] == {"adapter": "BOTTLENECK", "lora": "LORA"}[method]


def _changed(folder: Path, target: Path, **changes: Any) -> Path:
    shutil.copytree(folder, target)
    record = read_record(folder / "train.json")
    write_record(target / "train.json", record | changes)
    return target


def test_what_is_no_trained_model_is_refused_with_a_sentence(
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
