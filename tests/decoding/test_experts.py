"""Feed-forward blocks as experts: partitions, what is computed for every method, operations, and who is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.optimize import linear_sum_assignment
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mtpeft.core.errors import UserError
from mtpeft.core.options import DecodingOptions
from mtpeft.data.token_arrays import Encoded, read_arrays, write_arrays
from mtpeft.decoding.experts.expert_layers import Experts, operations_of, put_experts
from mtpeft.decoding.experts.partition import balanced, balanced_clusters, co_activation_rows
from mtpeft.decoding.experts.routers import MlpRouter, SimilarityRouter
from mtpeft.decoding.experts.split_experts import (
    SplitOptions,
    TrainingSentences,
    innermost_weight,
    make_experts,
    read_blocks,
    read_experts,
)
from mtpeft.decoding.representations import outermost_modules
from mtpeft.decoding.search import translate
from mtpeft.models.families import read_shape
from mtpeft.models.feed_forward import FeedForward, expert_blocks
from mtpeft.models.special_tokens import SpecialTokens
from support.method import Subject, batch, logits, sources, write_base
from support.method_cases import CASES

RELU = ("student", "m2m100", "t5")
EXPERTS = 4
DECODER_ONLY = {
    "model_type": "llama",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 32,
}
SPLITS, ROUTERS = ("clusters", "co-activation"), ("oracle", "similarity", "mlp")
SPECIAL_TOKENS = SpecialTokens(pad=60, end=0, begin=(60,), max_length=64)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: write_base(family, tmp_path_factory.mktemp("bases") / family) for family in RELU}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> TrainingSentences:
    """Random sentence pairs for models of any family."""
    generator = np.random.default_rng(3)
    lines = [generator.integers(6, 50, size=length).tolist() for length in generator.integers(3, 9, size=40)]
    file = tmp_path_factory.mktemp("text") / "train.safetensors"
    write_arrays(file, source=Encoded(lines, 0), target=Encoded(lines[::-1], 0))
    pairs = read_arrays(file)
    return TrainingSentences(pairs, np.arange(40), SPECIAL_TOKENS)


def subject_of(base: Path, method: str = "none") -> Subject:
    case = CASES.get(method)
    return Subject(base, case.options if case else {"method": "full"}, case.share if case else None)


def blocks_in(subject: Subject) -> tuple[FeedForward, ...]:
    return expert_blocks(subject.shape, EXPERTS)


def split(model: nn.Module, subject: Subject, sentences: TrainingSentences, folder: Path, **options: Any) -> Experts:
    """The experts of a model, written and read again."""
    chosen = SplitOptions(**{"experts": EXPERTS, "split": "clusters", "router": "oracle", "sentences": 40} | options)
    tensors, _ = make_experts(model, blocks_in(subject), sentences, chosen)
    save_file(tensors, folder / "experts.safetensors")
    return read_experts(folder / "experts.safetensors")


@contextmanager
def masked(model: nn.Module, blocks: tuple[FeedForward, ...], experts: Experts, active: int) -> Iterator[None]:
    """The definition: all units are computed, then those of other experts are set to zero."""
    outer = outermost_modules(model, [name for block in blocks for name in (block.opening, block.closing)])
    scores: dict[str, torch.Tensor] = {}

    def route(name: str) -> Any:
        router = experts.routers[name]
        return lambda module, args: scores.__setitem__(name, router(args[0])) if router else None

    def mask(name: str) -> Any:
        units = experts.units[name]

        def hook(module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
            sums = args[0].clamp_min(0)[..., units].sum(-1) if experts.routers[name] is None else scores[name]
            kept = torch.zeros_like(sums).scatter(-1, sums.topk(active).indices, 1.0)
            return (args[0] * kept[..., owners(units)],)

        return hook

    handles = [outer[block.opening].register_forward_pre_hook(route(block.opening)) for block in blocks]
    handles += [outer[block.closing].register_forward_pre_hook(mask(block.opening)) for block in blocks]
    yield
    for handle in handles:
        handle.remove()


def owners(units: torch.Tensor) -> torch.Tensor:
    """The expert of each unit."""
    return torch.empty(units.numel(), dtype=torch.long).scatter(
        0, units.flatten(), torch.arange(len(units)).repeat_interleave(units.shape[1])
    )


@pytest.mark.parametrize("split_by", SPLITS)
def test_a_split_is_a_permutation_of_the_hidden_units(
    split_by: str, bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases["student"])
    experts = split(subject.base_model, subject, sentences, tmp_path, split=split_by)
    for block in blocks_in(subject):
        units = experts.units[block.opening]
        assert units.shape == (EXPERTS, block.hidden // EXPERTS)
        assert units.flatten().sort().values.tolist() == list(range(block.hidden))


@pytest.mark.parametrize("by", SPLITS)
def test_units_that_belong_together_share_an_expert(by: str) -> None:
    generator = np.random.default_rng(5)
    groups = generator.permutation(np.repeat(np.arange(3), 8))
    if by == "clusters":
        rows = np.eye(3)[groups] + 0.05 * generator.normal(size=(24, 3))
    else:
        seen = (generator.integers(0, 3, size=(300, 1)) == groups) & (generator.random((300, 24)) < 0.6)
        rows = co_activation_rows(seen.T.astype(int) @ seen, 3)
    found = balanced_clusters(rows, 3, seed=1)
    assert [len(set(groups[units])) for units in found] == [1, 1, 1]


def test_groups_are_of_equal_size_at_the_least_distance() -> None:
    generator = np.random.default_rng(7)
    rows, centres = generator.normal((3.0, 0.0), size=(24, 2)), generator.normal(size=(4, 2))
    distances = ((rows[:, None] - centres) ** 2).sum(-1)
    owners = balanced(rows, centres)
    assert np.bincount(owners).tolist() == [6] * 4
    _, best = linear_sum_assignment(np.repeat(distances, 6, axis=1))
    assert distances[np.arange(24), owners].sum() == pytest.approx(distances[np.arange(24), best // 6].sum())


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("family", ["student", "t5"])
def test_with_all_experts_hypotheses_are_the_same(
    family: str, router: str, bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases[family], "lora")
    model, served = subject.stirred(), subject.stirred()
    experts = split(served, subject, sentences, tmp_path, router=router)
    put_experts(served, blocks_in(subject), experts, active=EXPERTS)
    found = [
        translate(own, sources(), DecodingOptions(), special_tokens=subject.special_tokens()) for own in (model, served)
    ]
    assert found[0] == found[1] and any(found[0])


@pytest.mark.parametrize(
    ("family", "method", "router"),
    [
        *(("student", method, "similarity") for method, case in CASES.items() if "student" in case.families),
        *((family, "lora", router) for family in RELU for router in ROUTERS),
        ("t5", "parallel", "oracle"),
        ("student", "parallel", "oracle"),
    ],
)
def test_what_experts_compute_is_the_masked_block(
    family: str, method: str, router: str, bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases[family], method)
    model = subject.stirred()
    experts = split(model, subject, sentences, tmp_path, router=router)
    given = batch(subject.special_tokens())
    whole = logits(model, given)
    with masked(model, blocks_in(subject), experts, 2):
        wanted = logits(model, given)
    put_experts(model, blocks_in(subject), experts, active=2)
    assert not torch.allclose(wanted, whole, atol=1e-3)
    assert torch.allclose(logits(model, given), wanted, atol=2e-5)


@pytest.mark.parametrize("split_by", SPLITS)
def test_blocks_of_which_half_is_dead_are_exact_with_half_of_the_experts(
    split_by: str, bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases["student"])
    model = subject.untouched()
    blocks = blocks_in(subject)
    for number, block in enumerate(blocks):
        generator = torch.Generator().manual_seed(number)
        opening = model.get_submodule(block.opening)
        dead = torch.randperm(block.hidden, generator=generator)[: block.hidden // 2]
        with torch.no_grad():
            opening.weight += torch.randn(block.width, generator=generator)
            opening.weight[dead], opening.bias[dead] = 0.0, 0.0
    given = batch(subject.special_tokens())
    whole = logits(model, given)
    experts = split(model, subject, sentences, tmp_path, split=split_by, experts=2)
    put_experts(model, blocks, experts, active=1)
    assert torch.allclose(logits(model, given), whole, atol=1e-5)


@pytest.mark.parametrize("active", [1, 2, EXPERTS])
@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("method", ["none", "lora", "bitfit", "encoder"])
def test_operations_are_those_that_torch_counts(
    method: str, router: str, active: int, bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases["student"], method)
    model = subject.stirred()
    given = batch(subject.special_tokens())
    with FlopCounterMode(display=False) as whole:
        logits(model, given)
    experts = split(model, subject, sentences, tmp_path, router=router)
    served = put_experts(model, blocks_in(subject), experts, active=active)
    with FlopCounterMode(display=False) as part:
        logits(model, given)
    counted = operations_of(served, router)
    saved = counted["whole"] - counted["layers"] - counted["router"]
    assert whole.get_total_flops() - part.get_total_flops() == saved
    assert (saved == 0) == (active == EXPERTS or (method, router) == ("bitfit", "oracle"))


def test_the_router_learns_which_experts_are_active(
    bases: dict[str, Path], sentences: TrainingSentences, tmp_path: Path
) -> None:
    subject = subject_of(bases["student"])
    model = subject.untouched()
    experts = split(model, subject, sentences, tmp_path, router="mlp")
    hits: dict[str, list[float]] = {"learnt": [], "new": []}

    def take(block: FeedForward, given: torch.Tensor, hidden: torch.Tensor) -> None:
        best = hidden[:, experts.units[block.opening]].sum(-1).argmax(-1)
        torch.manual_seed(1)
        routers = {"learnt": experts.routers[block.opening], "new": MlpRouter(block.width, EXPERTS)}
        for name, router in routers.items():
            hits[name].append(float((router(given).argmax(-1) == best).float().mean()))

    with torch.no_grad():
        read_blocks(model, blocks_in(subject), sentences, take)
    assert np.mean(hits["learnt"]) > np.mean(hits["new"]) + 0.2


def test_the_similarity_is_that_of_the_mean_of_an_experts_rows(bases: dict[str, Path]) -> None:
    subject = subject_of(bases["student"])
    weight = innermost_weight(subject.base_model, blocks_in(subject)[0])
    units = torch.arange(len(weight)).view(EXPERTS, -1)
    given = torch.randn(5, weight.shape[1], generator=torch.Generator().manual_seed(1))
    centres = torch.stack([weight[own].mean(0) for own in units])
    cosines = torch.cosine_similarity(given[:, None], centres[None], dim=-1)
    scores = SimilarityRouter.of(weight, units)(given)
    assert torch.allclose(scores / given.norm(dim=-1, keepdim=True), cosines, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "experts", "says"),
    [
        ({"activation_function": "gelu"}, 4, "have the activation 'gelu', and only with 'relu'"),
        ({**DECODER_ONLY, "hidden_act": "silu"}, 4, "have the activation 'gated-silu', and only with 'relu'"),
        ({"activation_function": "relu"}, 5, "have 32 hidden units, which 5 experts can't share evenly"),
    ],
)
def test_blocks_that_cannot_be_split_are_refused(config: dict[str, Any], experts: int, says: str) -> None:
    keys = {"model_type": "m2m_100", "d_model": 16, "vocab_size": 61, "max_position_embeddings": 64}
    sides = {
        f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in (("layers", 1), ("ffn_dim", 32))
    }
    with pytest.raises(UserError, match=says):
        expert_blocks(read_shape({**keys, **sides, **config}), experts)
