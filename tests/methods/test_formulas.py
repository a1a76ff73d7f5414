"""Our adapters against the equations of their papers, written out in plain torch."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtpeft.methods import METHODS, options_of
from mtpeft.methods.adalink_adapter import AdaLinkLayer
from mtpeft.methods.dsee_adapter import sparse_support
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.models.load import parameters, prepare_torch
from support.method import Subject, batch, logits, stir, write_base
from support.method_cases import CASES

NAME = "default"
BLOCKS = {"mbart": "model.encoder.layers.0", "t5": "encoder.block.0"}
"""The first layer of each family that is tried."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of tiny models by their family, each made once."""
    prepare_torch(1)
    return cache(lambda family: write_base(family, tmp_path_factory.mktemp(family)))


@pytest.fixture(scope="module")
def built(bases: Callable[[str], Path]) -> Callable[..., nn.Module]:
    """A method on the base of a family, stirred, without peft's own outer modules."""

    def of(method: str, family: str, *, share: float | None = None, **options: Any) -> nn.Module:
        case = CASES[method]
        return Subject(bases(family), {**case.options, **options}, share or case.share).stirred().get_base_model()

    return of


def _states(width: int = 32) -> torch.Tensor:
    return torch.randn(2, 5, width, generator=torch.Generator().manual_seed(2))


def _bottleneck(wrapper: nn.Module, states: torch.Tensor, activation: Callable = torch.relu) -> torch.Tensor:
    down, up = wrapper.bottleneck_down[NAME], wrapper.bottleneck_up[NAME]
    return activation(states @ down.weight.T + down.bias) @ up.weight.T + up.bias


@pytest.mark.parametrize("family", BLOCKS)
@torch.no_grad()
def test_an_adapter_after_a_layer_has_a_layer_norm_inside(built: Callable, family: str) -> None:
    layer = built("adapter", family).get_submodule(BLOCKS[family])
    returned = layer(_states(), attention_mask=None)
    found = returned[0] if isinstance(returned, tuple) else returned
    inner = layer.base_layer(_states(), attention_mask=None)
    hidden = inner[0] if isinstance(inner, tuple) else inner
    norm = layer.bottleneck_norm[NAME]
    normed = nn.functional.layer_norm(hidden, (32,), norm.weight, norm.bias)
    torch.testing.assert_close(found, hidden + _bottleneck(layer, normed))


@pytest.mark.parametrize(
    ("method", "family", "module", "activation"),
    [
        ("houlsby", "mbart", "model.decoder.layers.0.encoder_attn.out_proj", torch.relu),
        ("houlsby", "t5", "decoder.block.0.layer.1.EncDecAttention.o", torch.relu),
        ("houlsby", "mbart", "model.encoder.layers.0.fc2", torch.relu),
        ("pfeiffer", "mbart", "model.encoder.layers.0.fc2", nn.functional.gelu),
        ("pfeiffer", "t5", "encoder.block.0.layer.1.DenseReluDense", nn.functional.gelu),
    ],
)
@torch.no_grad()
def test_an_adapter_behind_a_block_reads_what_the_block_puts_out(
    built: Callable, method: str, family: str, module: str, activation: Callable
) -> None:
    wrapper = built(method, family).get_submodule(module)
    width = getattr(wrapper.base_layer, "in_features", 32)
    output = wrapper.base_layer(_states(width))
    expected = output + _bottleneck(wrapper, output, activation)
    torch.testing.assert_close(wrapper(_states(width)), expected)


@torch.no_grad()
def test_a_parallel_adapter_reads_what_its_block_reads(built: Callable) -> None:
    layer = built("parallel", "mbart").get_submodule("model.decoder.layers.0")
    inner = layer.activation_fn(layer.fc1(_states()))
    expected = layer.fc2.base_layer(inner) + 4.0 * _bottleneck(layer.fc2, _states())
    layer.fc1(_states())
    torch.testing.assert_close(layer.fc2(inner), expected)
    block = built("parallel", "t5").get_submodule("decoder.block.0.layer.2.DenseReluDense")
    torch.testing.assert_close(block(_states()), block.base_layer(_states()) + 4.0 * _bottleneck(block, _states()))


def _split(vectors: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, length, heads x width) as (batch, heads, length, width)."""
    return vectors.unflatten(-1, (heads, -1)).transpose(1, 2)


@pytest.mark.parametrize("method", ["prefix", "network_prefix", "mam"])
@torch.no_grad()
def test_attention_over_a_prefix_is_that_over_concatenated_keys_and_values(built: Callable, method: str) -> None:
    wrapper = built(method, "mbart").get_submodule("model.encoder.layers.0.self_attn")
    attention, states = wrapper.base_layer, _states()
    if method == "network_prefix":
        network = wrapper.prefix_network[NAME]
        inner = torch.tanh(network.vectors @ network.hidden.weight.T + network.hidden.bias)
        keys, values = (inner @ network.out.weight.T + network.out.bias).chunk(2, dim=-1)
    else:
        keys, values = wrapper.prefix_keys[NAME], wrapper.prefix_values[NAME]
    query = _split(attention.q_proj(states), attention.num_heads)
    key = _split(torch.cat([keys.expand(2, -1, -1), attention.k_proj(states)], dim=1), attention.num_heads)
    value = _split(torch.cat([values.expand(2, -1, -1), attention.v_proj(states)], dim=1), attention.num_heads)
    weights = torch.softmax(query @ key.mT / attention.head_dim**0.5, dim=-1)
    expected = attention.out_proj((weights @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(wrapper(states)[0], expected)


@pytest.mark.parametrize(
    ("method", "kinds"), [("prefix", {"self_attn", "encoder_attn"}), ("cross_prefix", {"encoder_attn"})]
)
def test_prefixes_stand_in_the_attention_that_was_asked_for(built: Callable, method: str, kinds: set[str]) -> None:
    model = built(method, "mbart")
    assert {name.rsplit(".", 1)[1] for name, module in model.named_modules() if hasattr(module, "prefix_keys")} == kinds


@torch.no_grad()
def test_scale_and_shift_stand_behind_linear_layers_and_norms(built: Callable) -> None:
    model = built("ssf", "mbart")
    linear = model.get_submodule("model.decoder.layers.0.encoder_attn.v_proj")
    norm = model.get_submodule("model.encoder.layers.0.final_layer_norm")
    for wrapper, plain in (
        (linear, nn.functional.linear(_states(), linear.base_layer.weight, linear.base_layer.bias)),
        (norm, nn.functional.layer_norm(_states(), (32,), norm.base_layer.weight, norm.base_layer.bias)),
    ):
        torch.testing.assert_close(wrapper(_states()), plain * wrapper.ssf_scale[NAME] + wrapper.ssf_shift[NAME])
    assert not model.get_submodule("model.decoder.layers.0.encoder_attn.k_proj").ssf_shift


@torch.no_grad()
def test_sparse_and_low_rank_updates_are_those_of_the_dense_matrices(built: Callable) -> None:
    wrapper = built("dsee", "t5").get_submodule("encoder.block.0.layer.1.DenseReluDense.wi")
    sparse = torch.zeros_like(wrapper.base_layer.weight)
    sparse.view(-1)[wrapper.dsee_support[NAME].long()] = wrapper.dsee_entries[NAME]
    weight = wrapper.base_layer.weight + 2.0 * wrapper.dsee_up[NAME] @ wrapper.dsee_down[NAME] + sparse
    torch.testing.assert_close(wrapper(_states()), _states() @ weight.T)
    assert int((sparse != 0).sum()) == 5


def test_sparse_entries_are_the_largest_residuals_of_the_low_rank_part() -> None:
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(20, 2, generator=generator) @ torch.randn(2, 30, generator=generator)
    spikes = torch.tensor([7, 95, 301, 512])
    weight.view(-1)[spikes] += torch.tensor([9.0, -8.0, 10.0, -11.0])
    assert sparse_support(weight, rank=2, entries=4).tolist() == spikes.tolist()


@pytest.mark.parametrize("part", ["encoder", "decoder", "cross_attention"])
@torch.no_grad()
def test_a_trained_part_is_what_training_the_base_itself_would_make(built: Callable, part: str) -> None:
    model = built(part, "mbart")
    wrappers = {name: module for name, module in model.named_modules() if hasattr(module, "copies_weight")}
    trained = {name: (dict(w.copies_weight), dict(w.copies_bias)) for name, w in wrappers.items()}
    inputs = batch(Subject.frame_of(model.config))
    found = logits(model, inputs)
    for name, (weight, bias) in trained.items():
        wrappers[name].base_layer.weight.copy_(weight[NAME])
        if bias:
            wrappers[name].base_layer.bias.copy_(bias[NAME])
        wrappers[name].enable_adapters(False)
    assert torch.equal(logits(model, inputs), found)
    words = {"encoder": "model.encoder.", "decoder": "model.decoder.", "cross_attention": "encoder_attn"}
    assert all(words[part] in name for name in wrappers)


LANGUAGES = {"source": ["es", "it", "es"], "target": ["en", "en", "en"]}
EACH_WAY = {"source": ["es", "it", "es"], "target": ["en", "en", "de"]}


@pytest.mark.parametrize("method", ["context_lora", "context_ia3", "context_bitfit"])
@torch.no_grad()
def test_every_row_uses_the_parameters_of_its_language(built: Callable, method: str) -> None:
    model = built(method, "mbart", languages=LANGUAGES)
    inputs = batch(Subject.frame_of(model.config))
    alone = []
    for domain in (0, 1, 2):
        set_task_ids(model, domain)
        alone.append(logits(model, inputs))
    assert not torch.allclose(alone[0], alone[1])
    assert torch.equal(alone[0], alone[2])
    set_task_ids(model, torch.tensor([1, 0, 2]))
    together = logits(model, inputs)
    for row, domain in enumerate((1, 0, 2)):
        torch.testing.assert_close(together[row], alone[domain][row])


@pytest.mark.parametrize("family", ["mbart", "marian", "t5"])
@pytest.mark.parametrize("side", ["encoder", "decoder", "both"])
@torch.no_grad()
def test_a_row_keeps_its_bits_when_the_link_of_another_language_changes(
    built: Callable, family: str, side: str
) -> None:
    model = built("adalink_by_language", family, languages=EACH_WAY, side=side)
    inputs = batch(Subject.frame_of(model.config))
    set_task_ids(model, torch.tensor([0, 1, 2]))
    before = logits(model, inputs)
    layers = [own for own in model.modules() if isinstance(own, AdaLinkLayer)]
    assert [len(own.adalink_up[NAME]) for own in layers] == [2] * (2 if side == "both" else 1)
    for layer in layers:  # the source of the second pair is Italian; the target of the third is German
        layer.adalink_up[NAME][1] += 0.5
    after = logits(model, inputs)
    changed = {"encoder": [1], "decoder": [2], "both": [1, 2]}[side]
    assert [row for row in range(3) if not torch.equal(before[row], after[row])] == changed
    set_task_ids(model, None)
    elsewhere = logits(model, inputs)
    for layer in layers:
        layer.enable_adapters(False)
    assert torch.equal(logits(model, inputs), elsewhere)


@torch.no_grad()
def test_rows_of_several_languages_are_what_each_is_alone(built: Callable) -> None:
    model = built("adalink_by_language", "m2m100", languages=EACH_WAY)
    inputs = batch(Subject.frame_of(model.config))
    set_task_ids(model, torch.tensor([2, 0, 1]))
    together = logits(model, inputs)
    for row, pair in enumerate((2, 0, 1)):
        set_task_ids(model, pair)
        torch.testing.assert_close(together[row], logits(model, inputs)[row])


@torch.no_grad()
def test_a_link_before_the_decoder_adds_a_function_of_each_target_embedding(bases: Callable[[str], Path]) -> None:
    """Marian's decoder scales what it is given, its encoder what it looks up."""
    for family in ("marian", "m2m100", "t5"):
        subject = Subject(bases(family), {"method": "adalink", "side": "decoder"}, 0.02)
        model, plain, inputs = subject.stirred(), subject.untouched(), batch(subject.special_tokens())
        (layer,) = (own for own in model.modules() if isinstance(own, AdaLinkLayer))
        link = layer.adalink_up[NAME] @ layer.adalink_down[NAME]
        tokens = plain.get_decoder().embed_tokens(inputs["decoder_input_ids"])
        given = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        expected = plain(**given, decoder_inputs_embeds=tokens + tokens @ link.T, use_cache=False).logits
        torch.testing.assert_close(logits(model, inputs), expected)


@pytest.mark.parametrize("family", ["mbart", "m2m100", "marian"])
def test_bitfit_with_contexts_computes_and_learns_what_bitfit_does_on_one_pair(
    bases: Callable[[str], Path], family: str
) -> None:
    """Twenty updates of Adam, to the rounding of one bias against two that are added."""
    found = []
    for method in ("bitfit", "context_bitfit"):
        subject = Subject(bases(family), CASES[method].options, None)
        model = subject.build().train()
        optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=0.01)
        for update in range(20):
            optimizer.zero_grad()
            model(**batch(subject.special_tokens(), seed=update)).loss.backward()
            optimizer.step()
        found.append((parameters(model)[1], logits(model.eval(), batch(subject.special_tokens()))))
        assert not torch.allclose(found[-1][1], logits(subject.base_model, batch(subject.special_tokens())), atol=0.01)
    assert found[0][0] == found[1][0]
    torch.testing.assert_close(found[1][1], found[0][1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "norms", "linears"),
    [
        ({"train": "weights"}, {"weight"}, set()),
        ({"train": "biases"}, {"bias"}, set()),
        ({"train": "weights", "with_biases": True}, {"weight"}, {"bias"}),
        ({"with_biases": True}, {"weight", "bias"}, {"bias"}),
    ],
    ids=["weights", "biases", "weights, and other biases", "both, and other biases"],
)
def test_layer_norms_are_trained_in_the_pieces_that_are_asked_for(
    bases: Callable[[str], Path], options: dict[str, Any], norms: set[str], linears: set[str]
) -> None:
    subject = Subject(bases("mbart"), {"method": "layernorm", **options}, None)
    trained = {name for name, weight in subject.start.named_parameters() if weight.requires_grad}
    pieces = [
        {kind for kind in ("weight", "bias") if any(f"copies_{kind}" in n for n in own)}
        for own in ({name for name in trained if "norm" in name}, {name for name in trained if "norm" not in name})
    ]
    assert pieces == [norms, linears]
    assert not any("k_proj" in name for name in trained)
    improved, bitfit = (
        METHODS[own["method"]].target_modules(subject.shape, options_of(own))
        for own in ({"method": "layernorm", "with_biases": True}, {"method": "bitfit"})
    )
    weights = sum(norm.width for norm in subject.shape.norms)
    assert sum(site.base for site in improved) == sum(site.base for site in bitfit) + weights


def test_a_language_of_several_pairs_has_one_set_of_parameters(built: Callable) -> None:
    model = built("context_lora", "mbart", share=0.3, languages=LANGUAGES)
    encoder, decoder = (model.get_submodule(f"model.{side}.layers.0") for side in ("encoder", "decoder"))
    counts = {
        "encoder": encoder.fc1,
        "keys": decoder.encoder_attn.k_proj,
        "queries": decoder.encoder_attn.q_proj,
        "decoder": decoder.fc1,
    }
    found = {name: len(module.context_down[NAME]) for name, module in counts.items()}
    assert found == {"encoder": 2, "keys": 2, "queries": 1, "decoder": 1}


@torch.no_grad()
def test_a_contexts_variants_are_their_formulas(built: Callable) -> None:
    lora = built("context_lora", "t5").get_submodule("encoder.block.0.layer.1.DenseReluDense.wi")
    update = 2.0 * lora.context_up[NAME][0] @ lora.context_down[NAME][0]
    torch.testing.assert_close(lora(_states()), _states() @ (lora.base_layer.weight + update).T)
    model = built("context_ia3", "t5")
    value = model.get_submodule("decoder.block.0.layer.1.EncDecAttention.v")
    torch.testing.assert_close(
        value(_states()), value.context_factor[NAME][0] * (_states() @ value.base_layer.weight.T)
    )
    last = model.get_submodule("decoder.block.0.layer.2.DenseReluDense.wo")
    inner = _states(last.base_layer.in_features)
    torch.testing.assert_close(last(inner), (last.context_factor[NAME][0] * inner) @ last.base_layer.weight.T)


def test_stirring_moves_what_is_trained_and_nothing_else(built: Callable) -> None:
    model = built("lora", "mbart")
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    stir(model)
    assert all(torch.equal(before[name], w) != w.requires_grad for name, w in model.named_parameters())
