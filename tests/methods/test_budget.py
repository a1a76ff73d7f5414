"""Budgets: every budgeted method spends what it may, never more, and the count is that of the built model."""

import json
import os
import subprocess
import sys
from itertools import product

import pytest

from mtpeft.methods import METHODS, method_of, options_of
from mtpeft.methods.base import TargetModule
from mtpeft.methods.budget import OutOfReachError, allocate, allocation_of, count, reach
from mtpeft.models.families import read_shape
from mtpeft.models.load import parameters, random_model
from support.budget import CATALOGUE, CONFIGS, FAMILIES, MBART_50, ROOT
from support.default import TINY_FILE

OPTIONS = {
    "adapter": {"method": "adapter", "activation": "relu"},
    "lora": {"method": "lora", "scaling": 2.0},
    "prefix": {"method": "prefix"},
    "adapter_embeddings": {"method": "adapter", "activation": "relu", "embeddings": True},
    "lora_embeddings": {"method": "lora", "scaling": 2.0, "embeddings": True},
    **{
        name: {"method": name}
        for name, method in METHODS.items()
        if name in CATALOGUE.methods and method.trains == "fixed"
    },
}
SIZED = [name for name, options in OPTIONS.items() if METHODS[options["method"]].trains == "budgeted"]
POINTS = [name for name in OPTIONS if name not in SIZED]
PLAIN = [name for name in SIZED if name in METHODS]
SHARES = (0.001, 0.002, 0.004, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)


def targets_of(method: str, name: str) -> tuple[list[TargetModule], int]:
    shape = read_shape(CONFIGS[name])
    options = OPTIONS[method]
    return list(method_of(options).target_modules(shape, options_of(options))), shape.total


def test_mbart_50_has_the_size_that_its_authors_published() -> None:
    assert read_shape(MBART_50).total == 610_879_488


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("method", SIZED)
def test_a_budget_is_spent_to_the_last_step(method: str, name: str, share: float) -> None:
    sites, total = targets_of(method, name)
    budget = int(share * total)
    low, high = reach(sites)
    if not low <= budget <= high:
        with pytest.raises(OutOfReachError):
            allocate(sites, budget)
        return

    allocation = allocate(sites, budget)

    assert allocation.trained == count(sites, allocation.sizes) <= budget
    assert allocation.left_over == budget - allocation.trained
    sizes = {site: allocation.sizes.get(site.module, 0) for site in sites}
    assert allocation.sizes == {site.module: size for site, size in sizes.items() if size}
    assert all(site.min_size <= size <= site.max_size for site, size in sizes.items())
    steps = [site.cost(size + 1) - site.cost(size) for site, size in sizes.items() if size < site.max_size]
    assert not steps or allocation.left_over < min(steps)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("method", SIZED)
def test_both_ends_of_the_reach_are_met_exactly_and_nothing_beyond_them(method: str, name: str) -> None:
    sites, _ = targets_of(method, name)
    low, high = reach(sites)

    assert allocate(sites, low).left_over == allocate(sites, high).left_over == 0
    assert set(allocate(sites, low).sizes.values()) == {1}
    assert {site.module for site in sites if site.min_size} <= set(allocate(sites, low).sizes)
    assert allocate(sites, high).sizes == {site.module: site.max_size for site in sites}
    for budget in (0, low - 1, high + 1):
        with pytest.raises(OutOfReachError):
            allocate(sites, budget)


@pytest.mark.parametrize("method", SIZED)
def test_sizes_of_equal_modules_differ_by_one_at_most(method: str) -> None:
    sites, total = targets_of(method, "small")
    sizes = allocate(sites, int((0.05 if method in PLAIN else 0.6) * total)).sizes

    for step in {site.per_size for site in sites}:
        alike = [sizes.get(site.module, 0) for site in sites if site.per_size == step]
        assert max(alike) - min(alike) <= 1


@pytest.mark.parametrize("label", CATALOGUE.studies)
def test_methods_meet_on_the_budgets_of_a_default_study(label: str) -> None:
    study = CATALOGUE.studies[label]
    methods = {method for block in study.blocks for method in block.methods}
    for model, budget in product(study.models, study.budgets):
        achieved = []
        for method in methods & set(SIZED):
            sites, total = targets_of(method, model)
            achieved.append(allocate(sites, int(CATALOGUE.budgets[budget] * total)).trained / total)
        assert max(achieved) / min(achieved) < 1.05


@pytest.mark.parametrize("name", [*CATALOGUE.models, "mbart-50"])
def test_lora_below_one_rank_everywhere_trains_queries_and_values_first(name: str) -> None:
    sites, _ = targets_of("lora", name)
    first = [site for site in sites if site.module.endswith((".q_proj", ".v_proj"))]
    names = [site.module for site in first]
    queries_and_values = sum(site.cost(1) for site in first)

    assert allocate(sites, first[0].cost(1)).sizes == {names[0]: 1}
    assert allocate(sites, queries_and_values - 1).sizes == dict.fromkeys(names[:-1], 1)
    assert allocate(sites, queries_and_values).sizes == dict.fromkeys(names, 1)
    almost = allocate(sites, sum(site.cost(1) for site in sites) - 1).sizes
    assert {*names} < {*almost} < {site.module for site in sites}


@pytest.mark.parametrize("name", ["tiny", "uneven"])
@pytest.mark.parametrize("method", ["lora", "lora_embeddings"])
def test_layers_that_lora_leaves_out_are_unchanged(method: str, name: str) -> None:
    from transformers import MBartConfig, MBartForConditionalGeneration

    sites, _ = targets_of(method, name)
    allocation = allocate(sites, reach(sites)[0])
    options = OPTIONS[method]
    model = MBartForConditionalGeneration(MBartConfig(**CONFIGS[name]))

    tuned = method_of(options).apply(model, allocation.sizes, options_of(options))

    assert len(allocation.sizes) < len(sites)
    assert sum(weights.numel() for weights in tuned.parameters() if weights.requires_grad) == allocation.trained


@pytest.mark.parametrize(
    ("method", "trained"),
    [("layernorm", 131_072), ("bitfit", 299_008), ("embeddings", 250_054 * 1024)],
)
def test_methods_of_one_size_match_the_counts_of_their_papers_on_mbart_50(method: str, trained: int) -> None:
    sites, _ = targets_of(method, "mbart-50")

    assert reach(sites) == (trained, trained)
    options, shape = options_of(OPTIONS[method]), read_shape(MBART_50)
    assert allocation_of(METHODS[method], options, shape, share=None).trained == trained


@pytest.mark.parametrize("method", [name for name in SIZED if name not in PLAIN])
def test_embeddings_are_paid_first_and_the_rest_goes_to_the_method(method: str) -> None:
    shape = read_shape(CONFIGS["small"])
    options = options_of(OPTIONS[method])
    entry, plain = METHODS[options.method], options_of(OPTIONS[options.method])
    alone = allocate(entry.target_modules(shape, plain), int(0.6 * shape.total) - shape.embeddings)
    both = allocation_of(entry, options, shape, share=0.6)

    assert both.trained == alone.trained + shape.embeddings
    assert both.left_over == alone.left_over
    assert both.sizes == {**alone.sizes, shape.embedding_module: 1}
    with pytest.raises(OutOfReachError):
        allocation_of(entry, options, shape, share=shape.embeddings / shape.total)


@pytest.mark.parametrize("name", ["tiny", "narrow", "uneven", *CATALOGUE.models, *FAMILIES])
@pytest.mark.parametrize("method", [*OPTIONS, "full"])
def test_the_built_model_trains_what_was_counted(method: str, name: str) -> None:
    model = random_model(CONFIGS[name], seed=1)
    shape = read_shape(CONFIGS[name])
    assert parameters(model) == (shape.total, shape.total)
    if method == "bitfit" and "t5" in name:
        assert targets_of(method, name) == ([], shape.total)
        return
    if method == "full":
        sizes, counted = {}, shape.total
    else:
        sites, _ = targets_of(method, name)
        low, high = reach(sites)
        allocation = allocate(sites, min(high, max(low + 100, int(0.05 * shape.total))))
        sizes, counted = allocation.sizes, allocation.trained

    options = OPTIONS.get(method, {"method": method})
    tuned = method_of(options).apply(model, sizes, options_of(options))

    added = 0 if method == "full" else counted
    assert parameters(tuned) == (shape.total + added, counted)


def run_budget(*options: str) -> str:
    program = (
        "import sys; from mtpeft.cli import main\n"
        f"try: main(['budget', '--configfile', {str(TINY_FILE)!r}, *{options!r}])\n"
        "finally: print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules], file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == "[]"
    return ended.stdout if ended.returncode == 0 else ended.stderr


def test_the_command_prints_every_budget_without_torch() -> None:
    lines = run_budget("--model", "small").splitlines()
    total = read_shape(CONFIGS["small"]).total
    rows = {tuple(line.split()[:2]): line.split() for line in lines[2:] if line}

    assert lines[0] == f"small: {total:,} parameters"
    assert {key for key in rows if key[1] != "-"} == {
        *((method, "native") for method in POINTS),
        *((method, budget) for method in SIZED for budget in CATALOGUE.budgets),
    }
    for method in POINTS:
        trained = reach(targets_of(method, "small")[0])[0]
        assert rows[method, "native"][2:] == [
            "-",
            f"{trained:,}",
            f"{trained / total:.3%}",
            "-",
            f"{trained:,}",
            "-",
            *f"{len(targets_of(method, 'small')[0])} of {len(targets_of(method, 'small')[0])}".split(),
            "-",
        ]
    for method in ("adapter_embeddings", "lora_embeddings"):
        assert " ".join(rows[method, "b1"][3:7]) == "- out of reach"
    for (method, budget), row in rows.items():
        if method in SIZED and row[4] != "out":
            sites, _ = targets_of(method, "small")
            allocation = allocate(sites, int(CATALOGUE.budgets[budget] * total))
            assert row[3] == f"{allocation.trained:,}"
            assert row[5] == f"{allocation.left_over:,}"
    assert rows["lora", "b0.5"][7:10] == ["0", "to", "1"]
    assert rows["full", "-"][3] == f"{total:,}"
    assert rows["none", "-"][3] == "0"


def test_all_models_are_printed_unless_some_are_named() -> None:
    printed = [line.split(":")[0] for line in run_budget().splitlines() if line.endswith(" parameters")]

    assert printed == list(CATALOGUE.models)


def test_an_unknown_model_is_named() -> None:
    said = run_budget("--model", "smal").splitlines()[0]

    assert said == "mtpeft: '--model' names 'smal', which is not in 'models'; did you mean 'small'?"


def test_the_printed_reach_can_be_asked_for() -> None:
    lines = run_budget("--model", "small").splitlines()
    for method in SIZED:
        sites, total = targets_of(method, "small")
        row = next(line for line in lines if line.split()[:1] == [method])
        low, high = (round(float(row.split()[place].rstrip("%")) / 100, 5) for place in (-3, -1))
        assert allocate(sites, int(low * total)).trained
        assert allocate(sites, int(high * total)).trained


def test_a_configuration_of_a_model_is_plain_json() -> None:
    assert json.loads(json.dumps(CONFIGS["small"])) == CONFIGS["small"]
