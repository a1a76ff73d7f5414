"""AdaLoRA's pruning before and after updates: what is left, what is stored of it, and the regulariser."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mtpeft.cells import Cell
from mtpeft.core.files import read_record
from mtpeft.methods import METHODS
from mtpeft.methods.base import UpdateHook
from mtpeft.methods.budget import count
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.peft.adalora import start_ranks
from mtpeft.models.load import prepare_torch
from mtpeft.training.finetune import finetune, save_tuned
from support.method import Subject, batch, logits, write_base
from support.model import inputs, train_params

OPTIONS = {"method": "ADALORA", "scaling": 2.0, "start": 1.5}
UPDATES = 10
FAMILIES = ("mbart", "mt5")


@pytest.fixture(scope="module")
def subject_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Subject]:
    prepare_torch(1)
    folders = {family: write_base(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}
    return lambda share=0.08, family="mbart": Subject(folders[family], OPTIONS, share=share)


@pytest.fixture
def subject(subject_of: Callable[..., Subject]) -> Subject:
    return subject_of()


def hook_of(model: nn.Module) -> UpdateHook:
    return METHODS["ADALORA"].hook(model)


def train(model: nn.Module, subject: Subject, hook: UpdateHook, *, updates: int = UPDATES) -> list[int]:
    """Updates by hand; returns how many triplets are left after each."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01)
    left = []
    for update in range(updates):
        optimizer.zero_grad()
        model(**batch(subject.special_tokens(), seed=update)).loss.backward()
        hook.before()
        optimizer.step()
        hook.after(update + 1, UPDATES)
        left.append(sum(int(weight.count_nonzero()) for name, weight in model.named_parameters() if "lora_E" in name))
    return left


def test_the_ranks_fall_to_those_of_the_budget_and_stay_there(subject: Subject) -> None:
    model = subject.build()
    starts = start_ranks(subject.shape.linears, subject.allocation.sizes, OPTIONS["start"])

    left = train(model, subject, hook_of(model))

    assert left[0] == sum(starts.values())  # one tenth of the updates comes before the first pruning
    assert left == sorted(left, reverse=True)
    assert left[-3:] == [sum(subject.allocation.sizes.values())] * 3
    assert left[0] >= 1.5 * left[-1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [0.01, 0.03, 0.08, 0.3])
def test_the_ranks_left_meet_the_budget_to_the_parameter(
    subject_of: Callable[..., Subject], tmp_path: Path, share: float, family: str
) -> None:
    subject = subject_of(share, family)
    model = subject.build()
    train(model, subject, hook_of(model))
    inputs_ = batch(subject.special_tokens())
    before = logits(model.eval(), inputs_)

    finished = subject.finish(model)
    left = METHODS["ADALORA"].sizes_at_end(finished)
    folder = save_tuned(finished, tmp_path / "tuned", diverged=False)
    opened = open_tuned(subject.base, folder).eval()

    sites = METHODS["ADALORA"].target_modules(subject.shape, subject.options)
    assert count(sites, left) == subject.allocation.trained
    (file,) = folder.glob("*.safetensors")
    assert sum(tensor.numel() for tensor in load_file(file).values()) == subject.allocation.trained
    torch.testing.assert_close(logits(finished, inputs_), before)  # but for rounding
    assert torch.equal(logits(opened, inputs_), logits(finished, inputs_))


def test_ranks_go_where_they_are_important(subject: Subject) -> None:
    """With equal importance everywhere else, all that a cost class has goes to the module that has more."""
    model = subject.build()
    hook = hook_of(model)
    allocator = model.base_model.rankallocator
    favourite = next(name for name in allocator.modules_by_cost[min(allocator.modules_by_cost)])
    for name, weight in model.base_model.model.named_parameters():
        if "lora_" in name:
            allocator.exp_avg_ipt[name] = torch.full_like(weight, 2.0 if name.startswith(favourite) else 1.0)
            allocator.exp_avg_unc[name] = torch.ones_like(weight)
            weight.data.fill_(1.0)

    pattern = allocator.mask_to_budget(model.base_model.model, allocator.target_bgt)

    assert isinstance(hook, UpdateHook)
    assert all(pattern[f"{favourite}.lora_E.default"])
    kept = Counter({cost: sum(sum(pattern[f"{n}.lora_E.default"]) for n in own) for cost, own in _costs(allocator)})
    assert dict(kept) == allocator.left  # equals are not pruned all at once


def _costs(allocator: object) -> list[tuple[int, list[str]]]:
    return list(allocator.modules_by_cost.items())


@pytest.mark.parametrize("updates", [1, 2, 3, 10, 100])
def test_weights_are_evaluated_only_where_the_budget_holds(subject: Subject, updates: int) -> None:
    hook = hook_of(subject.build())
    evaluated = [update for update in range(updates + 1) if hook.may_be_kept(update, updates)]
    assert evaluated == [0, *range(max(1, updates - math.floor(0.3 * updates)), updates + 1)]


def test_the_record_of_a_cell_has_the_ranks_left(sweep: Path, tmp_path: Path) -> None:
    params = train_params("lora", learning_rate=0.05, evaluations=6) | {"method": dict(OPTIONS)}
    record = tmp_path / "train.json"
    finetune(params, Cell("tiny", "es-en", "n44", "adalora", "b5", "1"), inputs=inputs(sweep), record=record)
    train = read_record(record)
    (file,) = (tmp_path / "tuned").glob("*.safetensors")
    stored = load_file(file)
    assert sum(tensor.numel() for tensor in stored.values()) == train["trained_parameters"]
    assert train["trained_parameters"] + train["left_over_parameters"] == int(0.05 * train["total_parameters"])
    module = {name: name.removeprefix("base_model.model.").removesuffix(".lora_E") for name in stored}
    assert train["sizes"] == {module[name]: len(stored[name]) for name in stored if name.endswith(".lora_E")}
    assert [entry["step"] for entry in train["dev_history"]] == [0, 10, 12]  # of 12 updates the last 3 are quiet


def test_the_regulariser_is_that_of_peft(subject: Subject) -> None:
    """Before the first update the singular values are zero, so that singular vectors have no other gradient."""
    gradients = []
    for ours in (False, True):
        model = subject.build()
        if ours:
            hook_of(model).before()
        else:
            model(**batch(subject.special_tokens())).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if ".lora_A." in name})

    for name, gradient in gradients[0].items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_a_resumed_hook_has_the_memory_of_the_first(subject: Subject) -> None:
    model = subject.build()
    hook = hook_of(model)
    train(model, subject, hook, updates=UPDATES - 1)
    memory = {name: tensor.clone() for name, tensor in hook.memory().items()}

    other = hook_of(subject.build())
    assert not other.memory()
    other.remember(memory)

    assert memory.keys() == other.memory().keys()
    assert all(torch.equal(tensor, other.memory()[name]) for name, tensor in memory.items())
    assert any(not tensor.all() for name, tensor in memory.items() if name.startswith("kept/"))
