"""The tuners: what they train, what they compute, and that peft itself opens what they save."""

from pathlib import Path

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from model_material import BUDGETS, METHODS, SEARCH, arrays
from mtpeft.decoding.search import Search, translate
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.tokens.arrays import read_arrays
from tuner_material import (
    ADAPTER_FILE,
    FRAME,
    MERGEABLE,
    PEFT,
    WITH_EMBEDDINGS,
    base_folder,
    batch,
    build,
    logits,
    stir,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    prepare_torch(1)


@pytest.mark.parametrize("method", [method for method in PEFT if method != "prefix"])
def test_untrained_tuner_changes_nothing(sweep: Path, method: str) -> None:
    inputs = batch(sweep)
    model, _ = build(sweep, method)
    assert torch.equal(logits(model, inputs), logits(load_base(base_folder(sweep)).eval(), inputs))


@pytest.mark.parametrize("method", PEFT)
def test_what_is_counted_is_trained_and_saved(sweep: Path, tmp_path: Path, method: str) -> None:
    model, allocation = build(sweep, method)
    model.save_pretrained(tmp_path)
    saved = sum(tensor.numel() for tensor in load_file(tmp_path / ADAPTER_FILE).values())
    total, trained = parameters(model)
    assert trained == saved == allocation.trained
    assert total - trained == parameters(load_base(base_folder(sweep)))[0]
    if method in BUDGETS:
        assert trained + allocation.left_over == int(BUDGETS[method] * (total - trained))


@pytest.mark.parametrize("method", PEFT)
def test_every_trained_parameter_gets_a_gradient_and_no_other(sweep: Path, method: str) -> None:
    model, _ = build(sweep, method)
    stir(model)
    inputs = batch(sweep)
    model(**inputs).loss.backward()
    for name, parameter in model.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert moved == parameter.requires_grad, name


def one_token_after_the_other(model: torch.nn.Module, source: torch.Tensor, *, most: int) -> list[int]:
    """What greedy search should find of a sentence by itself, everything computed again for each token."""
    tokens = [*FRAME.begin]
    while len(tokens) - len(FRAME.begin) < most:
        logits = model(input_ids=source[None], decoder_input_ids=torch.tensor([tokens]), use_cache=False).logits
        token = int(logits[0, -1].argmax())
        if token == model.config.eos_token_id:
            break
        tokens.append(token)
    return tokens[len(FRAME.begin) :]


@pytest.mark.parametrize("method", ["none", *PEFT])
@torch.inference_mode()
def test_a_batch_is_translated_as_its_sentences_are_without_cache(sweep: Path, method: str) -> None:
    model = load_base(base_folder(sweep)).eval() if method == "none" else build(sweep, method)[0]
    stir(model)
    search = Search(**SEARCH)
    dev = read_arrays(arrays(sweep, "dev")).source
    sources = [dev[row].long() for row in range(len(dev))]
    found = translate(model, sources, search, frame=FRAME)
    limits = search.limits(dev.lengths, FRAME).tolist()
    assert found == [
        one_token_after_the_other(model, source, most=most) for source, most in zip(sources, limits, strict=True)
    ]
    assert len({len(tokens) for tokens in found}) >= 3


@pytest.mark.parametrize("low_memory", [False, True])
@pytest.mark.parametrize("method", PEFT)
def test_peft_gives_back_what_was_saved(sweep: Path, tmp_path: Path, method: str, low_memory: bool) -> None:
    model, _ = build(sweep, method)
    stir(model)
    model.save_pretrained(tmp_path)
    opened = PeftModel.from_pretrained(load_base(base_folder(sweep)), tmp_path, low_cpu_mem_usage=low_memory).eval()
    inputs = batch(sweep)
    assert torch.equal(logits(opened, inputs), logits(model, inputs))
    assert parameters(opened)[1] == 0


@pytest.mark.parametrize("method", PEFT)
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


@pytest.mark.parametrize("method", [method for method in PEFT if method not in MERGEABLE])
def test_what_is_no_change_of_a_weight_refuses_to_be_merged(sweep: Path, method: str) -> None:
    model, _ = build(sweep, method)
    with pytest.raises(ValueError, match="can't be merged"):
        model.merge_and_unload()


@pytest.mark.parametrize("method", MERGEABLE)
def test_a_merged_model_computes_the_same(sweep: Path, method: str) -> None:
    model, _ = build(sweep, method)
    stir(model)
    inputs = batch(sweep)
    before = logits(model, inputs)
    merged = model.merge_and_unload()
    assert (logits(merged, inputs) - before).abs().max() < 1e-5 * before.abs().max()
    assert parameters(merged)[0] == parameters(load_base(base_folder(sweep)))[0]


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
def test_a_prefix_is_seen_by_all_and_changes_nothing_else_of_what_is_seen(sweep: Path) -> None:
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
def test_a_point_method_computes_what_training_the_base_itself_would(sweep: Path, method: str) -> None:
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
