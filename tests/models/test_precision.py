"""Frozen base models in reduced precision (8 or 4 bits, or 16-bit floats): their outputs, and training beside them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.utils.integrations import dequantize_bnb_weight
from torch import nn

from mtpeft.core.files import read_record
from mtpeft.methods import METHODS as REGISTRY
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.models.precision import WHOLE, BasePrecision, is_packed
from mtpeft.training.finetune import save_tuned
from support.adapter import FOLDER_TYPES, PEFT, base_folder, batch, build, logits, stir
from support.family import CHECKPOINTS, build_checkpoint
from support.model import METHODS

PRECISIONS: dict[str, dict[str, Any]] = {
    "8": {"quantised": 8},
    "16": {"precision": "bfloat16"},
    "4 and 16": {"quantised": 4, "precision": "bfloat16"},
}
EVERY_WAY = pytest.mark.parametrize("precision", PRECISIONS)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    prepare_torch(1)


def _options(name: str) -> BasePrecision:
    return BasePrecision("tiny", **PRECISIONS[name])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_linear_layers_are_quantised_and_counted_at_full_precision(tmp_path: Path, name: str) -> None:
    folder = build_checkpoint(name, tmp_path)
    shape = read_shape(read_json(folder / "config.json"))
    model = load_base(folder, BasePrecision("mine", quantised=4))
    linears = {linear.module for linear in shape.linears}
    kept = {module for module in linears if module.endswith(".wo")}
    assert {name for name, x in model.named_modules() if isinstance(x, nn.Linear) and is_packed(x)} == linears - kept
    assert bool(kept) == (shape.linears[0].module.startswith("encoder.block"))
    assert parameters(model)[0] == shape.total
    assert sum(x.numel() for x in model.parameters()) < shape.total


@EVERY_WAY
@pytest.mark.parametrize("method", PEFT)
def test_a_method_trains_what_was_counted_in_32_bits(sweep: Path, method: str, precision: str) -> None:
    model, allocation = build(sweep, method, _options(precision))
    whole = parameters(load_base(base_folder(sweep)))[0]
    assert parameters(model) == (whole + allocation.trained, allocation.trained)
    weights = dict(model.named_parameters())
    assert {x.dtype for x in weights.values() if x.requires_grad} == {torch.float32}
    inputs = batch(sweep)
    if REGISTRY[METHODS[method]["method"]].starts_as_base:
        assert torch.equal(
            logits(model, inputs), logits(load_base(base_folder(sweep), _options(precision)).eval(), inputs)
        )
    stir(model)
    model(**inputs).loss.backward()
    for name, weight in weights.items():
        assert (weight.grad is not None and bool(weight.grad.abs().max() > 0)) == weight.requires_grad, name


@EVERY_WAY
@pytest.mark.parametrize("method", PEFT)
def test_an_opened_model_computes_what_the_saved_one_did(
    sweep: Path, tmp_path: Path, method: str, precision: str
) -> None:
    folder, inputs = base_folder(sweep), batch(sweep)
    model, _ = build(sweep, method, _options(precision))
    stir(model)
    opened = open_tuned(folder, save_tuned(model, tmp_path / "tuned", diverged=False), _options(precision)).eval()
    assert torch.equal(logits(opened, inputs), logits(model, inputs))
    with opened.disable_adapter():
        assert torch.equal(logits(opened, inputs), logits(load_base(folder, _options(precision)).eval(), inputs))
    kind = "WIDE_NORM" if (method, "16" in precision) == ("layernorm", True) else FOLDER_TYPES[method]
    assert read_record(tmp_path / "tuned/adapter_config.json")["peft_type"] == kind


@pytest.mark.parametrize("bits", [8, 4])
def test_a_quantised_base_is_trained_through_as_its_rounded_weights_would_be(sweep: Path, bits: int) -> None:
    """The same weights in 32-bit floats give the same loss and the same gradients, in the first layer too."""
    quantised, rounded = (
        build(sweep, "lora", precision)[0].train() for precision in (BasePrecision("tiny", quantised=bits), WHOLE)
    )
    stir(quantised)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            weight.copy_(_dequantised(quantised.get_submodule(name.rpartition(".")[0]), quantised.get_parameter(name)))
    losses, gradients = [], []
    for model in (quantised, rounded):
        torch.manual_seed(0)  # of dropout
        losses.append(model(**batch(sweep)).loss)
        losses[-1].backward()
        gradients.append({name: x.grad for name, x in model.named_parameters() if x.requires_grad})
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)


def test_processors_with_16_bit_instructions_compute_4_bits_in_evaluation_as_in_training(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers that believe to be on one would pack their weights anew when they are first evaluated."""
    precision, inputs = BasePrecision("tiny", quantised=4), batch(sweep)
    expected = logits(load_base(base_folder(sweep), precision, dropout=0.0).train(), inputs)
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    model = load_base(base_folder(sweep), precision, dropout=0.0)
    assert torch.equal(logits(model.eval(), inputs), expected)
    assert torch.equal(logits(model.train(), inputs), expected)


def _dequantised(layer: nn.Module, weight: nn.Parameter) -> torch.Tensor:
    if weight.is_floating_point():
        return weight
    return dequantize_bnb_weight(weight, state=getattr(layer, "state", None) or weight.quant_state)
