"""Weight decay pulls weights and updates of weights towards zero, and never a scale, a norm or a bias."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from mtpeft.methods import METHODS, options_of
from mtpeft.models.load import prepare_torch
from mtpeft.training.loop import TrainingTask
from mtpeft.training.optimizer import decay_rule_of, make_optimizer
from support.method import FAMILIES, Subject, stir, write_base
from support.method_cases import CASES as OWN_CASES
from support.peft_cases import PEFT_CASES

CASES = OWN_CASES | PEFT_CASES
FULL = {"full": {"method": "full"}, "scratch": {"method": "scratch", "longer": 1}}
STAYS = {
    "adapter": "bottleneck_norm bias",
    "lora": "lora_magnitude_vector",
    "full": "norm bias",
    "staged_full": "norm bias",
    "scratch": "norm bias",
    "part": "norm.copies_weight norm_embedding.copies_weight copies_bias",
    "context_ia3": "context_factor",
    "context_bitfit": "context_bias",
    "bitfit": "bitfit_bias",
    "layernorm": "ln_tuning_layers copies_bias norm.copies_weight norm_embedding.copies_weight",
    "ssf": "ssf_scale ssf_shift",
    "mam": "bias",
    "staged": "bias",
    "p_tuning": "bias",
    "prefix": "bias",
    "DELORA": "delora_lambda",
    "PSOFT": "vector_",
    "VERA": "vera_lambda",
    "PVERA": "pvera_lambda",
    "RANDLORA": "randlora_",
    "FROD": "frod_lambda_l",
    "IA3": "ia3_l",
    "ROAD": "road_",
    "BEFT": "beft_bias",
}
"""Parts of the names of scales, norms and biases, by method; all else is a weight or an update of one."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of tiny models by their family, each made once."""
    prepare_torch(1)
    return cache(lambda family: write_base(family, tmp_path_factory.mktemp(family)))


@pytest.mark.parametrize("family", ["mbart", "mt5"])
@pytest.mark.parametrize("method", [*CASES, *FULL])
def test_decay_alone_leaves_scales_norms_and_biases_as_they_are(
    bases: Callable[[str], Path], method: str, family: str
) -> None:
    case = CASES.get(method)
    options = case.options if case else FULL[method]
    if case and family in case.nothing:
        return
    if case:
        model = Subject(bases(family), options, case.share).build()
    else:
        model = Subject(bases(family), options, None).untouched()
    stir(model)
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimizer = make_optimizer(
        weights,
        learning_rate=0.5,
        weight_decay=0.5,
        rate_factor=lambda name: 1.0,
        decays=decay_rule_of(options_of(options)),
    )
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    for weight in weights.values():
        weight.grad = torch.zeros_like(weight)

    optimizer.step()

    parts = STAYS.get(options["method"], "").split()
    for name, weight in weights.items():
        stays = any(part in name for part in parts)
        wanted = before[name] if stays else 0.75 * before[name]
        torch.testing.assert_close(weight.detach(), wanted, msg=name)


def test_every_method_with_scales_is_in_the_table() -> None:
    """A parameter that starts at one everywhere is a scale or a norm."""
    methods = {case.options["method"] for case in CASES.values()}
    assert set(STAYS) <= methods | {"full", "scratch"}
    assert {"none", "retrieval", "in_context", "full", "scratch"} | methods == set(METHODS)
    assert len(FAMILIES) >= 2


def test_without_decay_parameters_are_grouped_as_they_always_were(bases: Callable[[str], Path]) -> None:
    """The norm of the gradient is summed in the order of the groups."""
    model = Subject(bases("mbart"), CASES["adapter"].options, CASES["adapter"].share).build()
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    given: dict[str, Any] = {"learning_rate": 0.5, "rate_factor": lambda name: 1.0}
    adapter = decay_rule_of(options_of({"method": "adapter"}))
    (group,) = make_optimizer(weights, weight_decay=0.0, decays=adapter, **given).param_groups
    assert [id(weight) for weight in group["params"]] == [id(weight) for weight in weights.values()]
    (pretraining,) = make_optimizer(weights, weight_decay=0.01, decays=TrainingTask.decays, **given).param_groups
    assert pretraining["weight_decay"] == 0.01
