"""Tuners of peft meet budgets as the others do, and those that can't be asked for are refused with a reason."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from peft import PeftType

from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.methods import METHODS, method_of, options_of
from mtpeft.methods.base import TargetModule
from mtpeft.methods.budget import OutOfReachError, allocate, allocation_of, count, reach
from mtpeft.methods.peft.refused import REFUSED
from mtpeft.models.families import read_shape
from mtpeft.models.load import parameters, random_model
from support.budget import CONFIGS, MBART_50, ROOT
from support.config import DEFAULT
from support.peft_cases import PEFT_CASES

SIZED = [name for name, case in PEFT_CASES.items() if case.share]
SHARES = (0.0005, 0.001, 0.01, 0.1)


def targets_of(name: str, config: dict[str, Any]) -> tuple[list[TargetModule], int]:
    options, shape = PEFT_CASES[name].options, read_shape(config)
    return list(method_of(options).target_modules(shape, options_of(options))), shape.total


@pytest.mark.parametrize("model", ["mbart-50", "t5 1.1", "uneven"])
@pytest.mark.parametrize("name", SIZED)
def test_a_budget_is_spent_to_the_last_step(name: str, model: str) -> None:
    sites, total = targets_of(name, CONFIGS[model])
    if model == "uneven" and name == "FROD":  # whose sides share a basis, and differ in width here
        assert sites == []
        return
    low, high = reach(sites)
    for budget in (low, *(int(share * total) for share in SHARES), (low + high) // 2, high):
        if not low <= budget <= high:
            with pytest.raises(OutOfReachError):
                allocate(sites, budget)
            continue
        allocation = allocate(sites, budget)
        sizes = {site.module: allocation.sizes.get(site.module, 0) for site in sites}
        steps = [step_of(site, sizes[site.module]) for site in sites if sizes[site.module] < site.max_size]
        assert allocation.trained == count(sites, sizes) == budget - allocation.left_over
        assert 0 <= allocation.left_over < min(steps, default=math.inf)


def step_of(site: TargetModule, size: int) -> int:
    return site.cost(size + 1) - site.cost(size)


# FRoD needs sides of equal width; AdaLoRA begins with more than it ends with, which test_adalora.py counts.
@pytest.mark.parametrize("name", [name for name in PEFT_CASES if name not in ("FROD", "ADALORA")])
def test_the_built_model_trains_what_was_counted(name: str) -> None:
    """On a model whose two sides have other depths and widths."""
    options, config = PEFT_CASES[name].options, CONFIGS["uneven"]
    sites, total = targets_of(name, config)
    low, high = reach(sites)
    share = max(low, min(high // 3, total // 20)) / total + 1e-9
    method, shape = METHODS[options["method"]], read_shape(config)
    allocation = allocation_of(method, options_of(options), shape, share=share if method.trains == "budgeted" else None)

    tuned = method.apply(random_model(config, seed=1), allocation.sizes, options_of(options))

    assert parameters(tuned) == (total + allocation.trained, allocation.trained)


def test_methods_of_one_size_match_published_counts_of_mbart_50() -> None:
    trained = {name: reach(targets_of(name, MBART_50)[0]) for name in ("IA3", "ROAD", "BEFT")}

    assert trained == {"IA3": (172_032,) * 2, "ROAD": (270_336,) * 2, "BEFT": (36 * 1024,) * 2}


def test_every_tuner_of_peft_is_a_method_or_refused() -> None:
    assert {kind.value for kind in PeftType} == {name for name in METHODS if name.isupper()} | set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_tuner_that_is_refused_is_told_why_and_what_to_write(name: str) -> None:
    with pytest.raises(UserError) as told:
        validate(merge(DEFAULT, {"methods": {"new": {"method": name, "learning_rate": 0.01}}}))

    assert str(told.value) == f"'methods.new.method' is '{name}', which {REFUSED[name]}."
    assert any(f"'{method}'" in REFUSED[name] for method in METHODS)


def test_all_tuners_are_counted_in_a_large_model_without_torch(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(MBART_50), encoding="utf-8")
    methods = {name.replace(" ", "_"): {**PEFT_CASES[name].options, "learning_rate": 0.01} for name in PEFT_CASES}
    overlay = tmp_path / "large.yaml"
    overlay.write_text(yaml.safe_dump({"models": {"big": {"path": str(tmp_path)}}, "methods": methods}))
    program = (
        "import sys; from mtpeft.cli import main\n"
        f"main(['budget', '--configfile', {str(overlay)!r}, '--model', 'big'])\n"
        "assert not {'torch', 'transformers', 'numpy', 'peft'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert {line.split()[0] for line in ended.stdout.splitlines()[2:] if line} >= set(methods)


def test_a_quantised_base_is_refused_for_tuners_that_were_not_tested_with_one() -> None:
    given = {
        "models": {"quantised": {"path": "workflow/models/small", "quantised": 4}},
        "methods": {"loha": {"method": "LOHA", "learning_rate": 1.0e-3}},
        "studies": {"budgets": {"models": ["quantised"], "methods": ["lora", "loha"], "budgets": ["b10"], "also": []}},
    }
    told = r"^'studies\.budgets\.methods' names 'loha', .* 'models\.quantised\.quantised' keeps it frozen[^\n]*$"
    with pytest.raises(UserError, match=told):
        validate(merge(DEFAULT, given))
