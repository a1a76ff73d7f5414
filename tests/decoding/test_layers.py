"""Linear layers that a method adapts: named ones at every budget, or as many as the budget has room for."""

from collections.abc import Mapping
from typing import Any

import pytest

from mtpeft.config.load import merge, validate
from mtpeft.config.methods import method_options
from mtpeft.config.model_shapes import model_shape
from mtpeft.core.errors import UserError
from mtpeft.methods import METHODS, options_of
from mtpeft.methods.budget import allocate_share, modules_used, targets_of
from mtpeft.models.architecture import ModelShape
from support.config import DEFAULT, STUDY
from support.default import tiny_study

SHAPE = model_shape(tiny_study(), "small")
ROLES = ("query", "key", "value", "output", "feed_forward")
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "lora": {"scaling": 2.0},
    "dsee": {"sparse": 8, "scaling": 2.0},
    "context_lora": {"scaling": 2.0},
    "LOHA": {"scaling": 2.0},
    "HIRA": {},
    "ADALORA": {"scaling": 2.0, "start": 1.5},
    "OFT": {},
    "SHIRA": {},
}


def roles_of(sizes: Mapping[str, int], shape: ModelShape) -> set[str]:
    return {linear.role for linear in shape.linears if sizes.get(linear.module)}


@pytest.mark.parametrize("method", DEFAULTS)
@pytest.mark.parametrize("layers", [["query", "value"], ["feed_forward"], ["key"], ["all"]], ids=str)
def test_the_layers_that_are_named_have_a_size_at_every_budget_and_no_others(method: str, layers: Any) -> None:
    options = {"method": method, **DEFAULTS[method], "layers": layers}
    sites = targets_of(METHODS[method], SHAPE, options_of(options))
    least, most = (
        sum(site.cost(size) for site, size in own)
        for own in ([(site, site.min_size) for site in sites], [(site, site.max_size) for site in sites])
    )
    for budget in (least, (2 * least + most) // 3, most):
        sizes = allocate_share(sites, budget, 1.0).sizes
        assert roles_of(sizes, SHAPE) == set(ROLES if layers == ["all"] else layers)
        assert modules_used(sites, sizes) == f"{len(sites)} of {len(sites)}"


def test_without_names_the_table_says_how_many_places_a_budget_reaches() -> None:
    sites = targets_of(METHODS["lora"], SHAPE, options_of({"method": "lora", "scaling": 2.0}))
    small, large = (allocate_share(sites, SHAPE.total, share).sizes for share in (0.005, 0.1))
    assert roles_of(small, SHAPE) >= {"query", "value"}
    assert len(small) < len(sites)
    assert modules_used(sites, small) == f"{len(small)} of {len(sites)}"
    assert modules_used(sites, large) == f"{len(sites)} of {len(sites)}"


def lora(layers: Any) -> dict[str, Any]:
    study = {
        "budgets": None,
        "data_sizes": None,
        "embeddings": None,
        "mine": {**STUDY, "figure": "budgets", "methods": ["full", "lora"], "budgets": ["b0.5"]},
    }
    return merge(
        DEFAULT,
        {"findings": dict.fromkeys(DEFAULT["findings"]), "methods": {"lora": {"layers": layers}}, "studies": study},
    )


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ("all", r"'studies\.mine\.budgets' asks for 'b0\.5' .*which method 'lora' can't meet: it reaches \d\.\d+% to"),
        (["querry"], r"'methods\.lora\.layers\.0' is 'querry'; write .*'query'"),
        ("some", r"'methods\.lora\.layers\.0' is 'some'; write 'all'"),
        ([], r"'methods\.lora\.layers' has too few entries"),
    ],
    ids=str,
)
def test_unknown_layers_and_budgets_too_small_for_the_named_ones_are_refused(layers: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        validate(lora(layers))


def test_params_without_named_layers_have_no_new_key() -> None:
    assert method_options(validate(lora(None)), "lora") == method_options(tiny_study(), "lora")
    assert method_options(validate(lora(["query", "value"])), "lora")["layers"] == ["query", "value"]
