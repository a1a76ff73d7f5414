"""The adapters: what they train, what they compute, and that peft itself opens what they save."""

from pathlib import Path

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from mtpeft.models.load import load_base, parameters, prepare_torch
from support.adapter import (
    ADAPTER_FILE,
    WITH_EMBEDDINGS,
    base_folder,
    batch,
    build,
    logits,
    stir,
)
from support.model import METHODS


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    prepare_torch(1)


def test_every_adapter_has_the_bottleneck_that_was_allocated(sweep: Path) -> None:
    model, allocation = build(sweep, "adapter")
    found = {
        name.removeprefix("base_model.model."): module.bottleneck_down["default"].out_features
        for name, module in model.named_modules()
        if hasattr(module, "bottleneck_down")
    }
    assert found == allocation.sizes
    assert len(set(found.values())) > 1


def test_every_attention_has_the_prefix_that_was_allocated(sweep: Path) -> None:
    model, allocation = build(sweep, "prefix")
    found = {
        name.removeprefix("base_model.model."): len(module.prefix_keys["default"])
        for name, module in model.named_modules()
        if hasattr(module, "prefix_keys")
    }
    assert found == allocation.sizes
    assert {name.rpartition("layers.0.")[2] for name in found} == {"self_attn", "encoder_attn"}
    assert len(found) == 3


@torch.no_grad()
def test_every_position_attends_to_the_prefix_and_other_masks_stay(sweep: Path) -> None:
    """Padding and what comes later stay unseen, whatever the attention's implementation is."""
    model, _ = build(sweep, "prefix")
    stir(model)
    inputs = batch(sweep)
    whole = logits(model, inputs)
    length = inputs["attention_mask"].sum(dim=1)
    for row, tokens in enumerate(length.tolist()):
        alone = {"input_ids": inputs["input_ids"][row : row + 1, :tokens]}
        alone["decoder_input_ids"] = inputs["decoder_input_ids"][row : row + 1, :3]
        assert torch.allclose(logits(model, alone)[0], whole[row, :3], atol=1e-4)
    model.get_base_model().set_attn_implementation("eager")
    assert torch.allclose(logits(model, inputs), whole, atol=1e-4)
    assert int(length.min()) < int(length.max())


def test_a_prefix_refuses_attention_that_it_does_not_know(sweep: Path) -> None:
    model, _ = build(sweep, "prefix")
    model.config._attn_implementation_internal = "flex_attention"
    with pytest.raises(ValueError, match="Prefixes work with attention eager or sdpa, not with 'flex_attention'"):
        model.get_submodule("base_model.model.model.encoder.layers.0.self_attn")(torch.zeros(1, 2, 32))


@pytest.mark.parametrize("method", WITH_EMBEDDINGS)
def test_one_trained_matrix_stands_wherever_the_model_uses_its_embeddings(
    sweep: Path, tmp_path: Path, method: str
) -> None:
    model, _ = build(sweep, method)
    stir(model)
    model.save_pretrained(tmp_path)
    base, inputs = load_base(base_folder(sweep)), batch(sweep)
    matrices = [weights for name, weights in load_file(tmp_path / ADAPTER_FILE).items() if "embeddings" in name]
    assert [matrix.shape for matrix in matrices] == [base.get_input_embeddings().weight.shape]
    opened = PeftModel.from_pretrained(load_base(base_folder(sweep)), tmp_path, is_trainable=True)
    opened(**inputs).loss.backward()
    with torch.no_grad():
        for parameter in opened.parameters():
            if parameter.requires_grad:
                parameter.sub_(parameter.grad)
    opened.save_pretrained(tmp_path / "again")
    once_more = PeftModel.from_pretrained(load_base(base_folder(sweep)), tmp_path / "again").eval()
    assert torch.equal(logits(once_more, inputs), logits(opened.eval(), inputs))
    assert parameters(once_more)[0] == parameters(model)[0]


def test_bitfit_trains_every_bias_that_can_receive_a_gradient(sweep: Path) -> None:
    base, inputs = load_base(base_folder(sweep)), batch(sweep)
    base(**inputs).loss.backward()
    biases = {name: bias.grad for name, bias in base.named_parameters() if name.endswith(".bias")}
    largest = max(float(gradient.abs().max()) for gradient in biases.values())
    received = {name for name, gradient in biases.items() if gradient.abs().max() > 1e-6 * largest}
    assert {f"{module}.bias" for module in build(sweep, "bitfit")[1].sizes} == received


@pytest.mark.parametrize("method", ["bitfit", "layernorm", "embeddings"])
def test_a_method_of_one_size_computes_what_training_the_base_itself_would(sweep: Path, method: str) -> None:
    """The trained values, written into the base model, are the same model."""
    model, allocation = build(sweep, method)
    stir(model)
    base, inputs = load_base(base_folder(sweep)).eval(), batch(sweep)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    own = [
        parameter
        for name, parameter in base.named_parameters()
        if name.rpartition(".")[0] in allocation.sizes and (method != "bitfit" or name.endswith(".bias"))
    ]
    assert [parameter.shape for parameter in own] == [parameter.shape for parameter in trained]
    with torch.no_grad():
        for parameter, value in zip(own, trained, strict=True):
            parameter.copy_(value)
    assert torch.equal(logits(base, inputs), logits(model, inputs))


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
