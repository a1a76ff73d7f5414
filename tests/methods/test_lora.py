"""LoRA by rank, with other initialisations than its own, and with a learning rate for each of its matrices."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.corda import preprocess_corda
from torch import nn

from mtpeft.cells import NATIVE
from mtpeft.config.load import merge, validate
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.studies import study_cells
from mtpeft.core.errors import UserError
from mtpeft.methods import method_of, options_of
from mtpeft.methods.base import Inputs
from mtpeft.methods.budget import allocation_of
from mtpeft.methods.lora_start_adapter import ADAPTER, start_from_text
from mtpeft.models.load import parameters
from mtpeft.training.batches import single_sentences
from mtpeft.training.optimizer import decay_rule_of, make_optimizer, rate_factor_of
from support.config import DEFAULT, STUDY
from support.default import tiny_study
from support.method import Subject, batch, logits, write_base

LORA: Mapping[str, Any] = {"method": "lora", "scaling": 2.0}
RANK = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base("mbart", tmp_path_factory.mktemp("mbart"))


def by_rank(base: Path, **options: Any) -> Subject:
    return Subject(base, {**LORA, "rank": RANK, **options}, None)


def layers_of(model: nn.Module) -> dict[str, LoraLayer]:
    named = ((name.removeprefix("base_model.model."), module) for name, module in model.named_modules())
    return {name: module for name, module in named if isinstance(module, LoraLayer)}


def matrices(layer: LoraLayer) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.lora_A[ADAPTER].weight.detach(), layer.lora_B[ADAPTER].weight.detach()


def product(layer: LoraLayer) -> torch.Tensor:
    first, second = matrices(layer)
    return layer.scaling[ADAPTER] * second @ first


def as_peft_starts(subject: Subject, initialisation: str, prepare: Callable[..., None] | None = None) -> nn.Module:
    """Peft's own LoRA with an initialisation, on a copy of the base."""
    config = LoraConfig(
        r=RANK,
        lora_alpha=LORA["scaling"] * RANK,
        target_modules=sorted(layers_of(subject.start)),
        init_lora_weights=initialisation,
    )
    model = subject.untouched()
    if prepare:
        prepare(model, config)
    return get_peft_model(model, config)


@pytest.mark.parametrize("initialisation", ["pissa", "olora"])
def test_the_matrices_start_where_peft_has_them_and_the_model_is_the_base(base: Path, initialisation: str) -> None:
    own = by_rank(base, initialisation=initialisation)
    other = as_peft_starts(own, initialisation)
    for name, layer in layers_of(own.start).items():
        torch.testing.assert_close(matrices(layer), matrices(layers_of(other)[name]))
        assert product(layer).abs().max() > 0
    inputs = batch(own.special_tokens())
    assert torch.equal(logits(own.start, inputs), logits(own.base_model, inputs))
    assert not torch.equal(logits(other, inputs), logits(own.base_model, inputs))  # peft changes it by rounding


def one_sentence(subject: Subject) -> list[Inputs]:
    return list(single_sentences([batch(subject.special_tokens())], 1))


def test_corda_takes_the_part_of_a_weight_that_peft_takes(base: Path) -> None:
    subject = Subject(base, {**LORA, "rank": RANK, "layers": ["query", "key"]}, None)
    started = Subject(base, {**subject.params, "initialisation": "corda"}, None)
    sentences = one_sentence(subject)

    def prepare(model: nn.Module, config: LoraConfig) -> None:
        from peft.tuners.lora.config import CordaConfig

        config.corda_config = CordaConfig(corda_method="ipm")
        preprocess_corda(model.eval(), config, run_model=lambda: model(**sentences[0], use_cache=False))

    model = started.build()
    start_from_text(model, "corda", sentences)
    other = layers_of(as_peft_starts(started, "corda", prepare))
    for name, layer in layers_of(model).items():
        torch.testing.assert_close(product(layer), product(other[name]), rtol=1e-2, atol=1e-4)


def test_eva_starts_with_the_directions_in_which_inputs_are_largest(base: Path) -> None:
    subject = by_rank(base, initialisation="eva")
    read: dict[str, list[torch.Tensor]] = {}
    model = subject.untouched()
    sentences = list(single_sentences([batch(subject.special_tokens())], 64))
    for name in layers_of(subject.start):
        layer, own = model.get_submodule(name), read.setdefault(name, [])
        layer.register_forward_pre_hook(lambda module, given, own=own: own.append(given[0].flatten(end_dim=-2)))
    with torch.no_grad():
        for sentence in sentences:
            model(**sentence, use_cache=False)
    for name, layer in layers_of(subject.start).items():
        rows = torch.cat(read[name]).double()
        rank = min(RANK, len(rows))
        best = torch.linalg.svd(rows, full_matrices=False).Vh[:rank]
        first, second = matrices(layer)
        torch.testing.assert_close(first @ first.T, torch.eye(RANK), rtol=0, atol=1e-5)
        kept, most = (rows @ first.double().T).square().sum(), (rows @ best.T).square().sum()
        torch.testing.assert_close(kept, most, rtol=1e-5, atol=0)
        assert not second.any()


def test_sentences_stand_alone_and_without_their_padding(base: Path) -> None:
    subject = by_rank(base)
    found = list(single_sentences([batch(subject.special_tokens()), batch(subject.special_tokens(), seed=3)], 4))
    assert len(found) == 4
    assert all(bool(own["attention_mask"].all()) and bool((own["labels"] >= 0).all()) for own in found)
    assert [own["input_ids"].shape for own in found] == [(1, 7), (1, 4), (1, 5), (1, 7)]


@pytest.mark.parametrize("b_rate", [1.0, 16.0])
def test_the_second_matrix_has_its_own_learning_rate(base: Path, b_rate: float) -> None:
    subject = by_rank(base, b_rate=b_rate)
    model = subject.stirred()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = make_optimizer(
        weights,
        learning_rate=1e-3,
        weight_decay=0.0,
        rate_factor=rate_factor_of(subject.options),
        decays=decay_rule_of(subject.options),
    )
    for group in optimizer.param_groups:
        group["lr"] *= group["factor"]
    model(**batch(subject.special_tokens())).loss.backward()
    optimizer.step()
    # The first step of Adam is the learning rate, whatever the gradient is.
    moved = {name: (weight.detach() - before[name]).abs().max().item() for name, weight in weights.items()}
    assert {name: round(step * 1e3, 2) for name, step in moved.items()} == {
        name: b_rate if "lora_B" in name else 1.0 for name in weights
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"layers": ["query", "value"]}, ("query", "value")),
        ({"layers": ["feed_forward"], "dora": True}, ("feed_forward",)),
        ({}, ("query", "key", "value", "output", "feed_forward")),
        ({"method": "HIRA"}, ("query", "key", "value", "output", "feed_forward")),
        ({"method": "dsee", "sparse": 8, "layers": ["key"]}, ("key",)),
    ],
    ids=str,
)
def test_the_count_follows_from_the_rank_and_is_that_of_the_model(
    base: Path, options: dict[str, Any], named: tuple[str, ...]
) -> None:
    params = {**({} if options.get("method") == "HIRA" else LORA), "rank": RANK, **options}
    subject = Subject(base, params, None)
    linears = [linear for linear in subject.shape.linears if linear.role in named]
    beside = {"dora": lambda x: x.outputs, "sparse": lambda x: 8}
    more = [beside[key] for key in beside if key in params]
    counted = sum(RANK * (x.inputs + x.outputs) + sum(own(x) for own in more) for x in linears)
    assert subject.allocation.trained == counted == parameters(subject.start)[1]
    assert subject.allocation.sizes == {linear.module: RANK for linear in linears}
    assert subject.method.budget_labels == (NATIVE,)


def overlay(**options: Any) -> dict[str, Any]:
    studies = dict.fromkeys(DEFAULT["studies"]) | {
        "mine": {**STUDY, "figure": "budgets", "methods": ["full", "mine"]},
    }
    entry = {"method": "lora", "learning_rate": 1e-3, **options}
    return merge(
        DEFAULT, {"findings": dict.fromkeys(DEFAULT["findings"]), "methods": {"mine": entry}, "studies": studies}
    )


def test_a_study_of_a_rank_needs_no_budget() -> None:
    configuration = validate(overlay(rank=4, layers=["query", "value"]))
    cells = study_cells(configuration, configuration.studies["mine"])
    assert {cell.budget for cell in cells if cell.method == "mine"} == {NATIVE}
    shape = model_shape(tiny_study(), "small")
    options = {**LORA, "rank": 4, "layers": ["query", "value"]}
    widths = [x.inputs + x.outputs for x in shape.linears if x.role in ("query", "value")]
    assert allocation_of(method_of(options), options_of(options), shape, share=None).trained == 4 * sum(widths)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rank": 100_000}, r"'methods\.mine\.rank' is 100000; write at most \d+, which layers of '\w+' have\."),
        ({"rank": 0}, r"'methods\.mine\.rank' is 0; write a number above 0\."),
        ({"rank": 4, "initialisation": "loftq"}, r"'methods\.mine\.initialisation' is 'loftq', which needs a base .*"),
        ({"rank": 4, "initialisation": "lora_ga"}, r"'methods\.mine\.initialisation' is 'lora_ga', which needs a grad"),
        ({"rank": 4, "initialisation": "orthogonal"}, r"'methods\.mine\.initialisation' is 'orthogonal', which needs "),
        ({"rank": 4, "initialisation": "mica"}, r"'methods\.mine\.initialisation' is 'mica', which trains one of"),
        ({"rank": 4, "initialisation": "pisa"}, r"'methods\.mine\.initialisation' is 'pisa'; write 'kaiming'.*'pissa'"),
        ({"rank": 4, "initialisation": "pissa", "dora": True}, r"'methods\.mine' has 'dora' and the initialisation"),
        ({}, r"'studies\.mine' has no cells for 'mine', which need a budget"),
    ],
    ids=str,
)
def test_what_can_not_be_asked_for_is_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        validate(overlay(**options))
