"""AdaLoRA's pruning around the updates: what is left, what is stored of it, and the regulariser."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from method_material import Subject, batch, logits, write_base
from mtpeft.methods import METHODS
from mtpeft.models.load import open_tuned, prepare_torch
from mtpeft.training.finetune import save_tuned
from mtpeft.training.hook import UpdateHook

OPTIONS = {"tuner": "ADALORA", "scaling": 2.0, "kept": 0.5}
UPDATES = 10


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    prepare_torch(1)
    return Subject(write_base("mbart", tmp_path_factory.mktemp("base")), OPTIONS, share=0.08)


def hook_of(model: nn.Module) -> UpdateHook:
    return METHODS["ADALORA"].hook(model, OPTIONS)


def train(model: nn.Module, subject: Subject, hook: UpdateHook, *, updates: int = UPDATES) -> list[int]:
    """Updates by hand; returns how many triplets are left after each."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01)
    left = []
    for update in range(updates):
        optimizer.zero_grad()
        model(**batch(subject.frame(), seed=update)).loss.backward()
        hook.before()
        optimizer.step()
        hook.after(update + 1, UPDATES)
        left.append(sum(int(weight.count_nonzero()) for name, weight in model.named_parameters() if "lora_E" in name))
    return left


def test_the_ranks_fall_to_the_share_that_is_kept_and_stay_there(subject: Subject) -> None:
    model = subject.build()
    ranks = sum(subject.allocation.sizes.values())

    left = train(model, subject, hook_of(model))

    assert left[0] == ranks  # one tenth of the updates comes before the first pruning
    assert left == sorted(left, reverse=True)
    assert left[-3:] == [math.ceil(0.5 * ranks)] * 3


def test_pruned_ranks_are_stored_as_such(subject: Subject, tmp_path: Path) -> None:
    model = subject.build()
    train(model, subject, hook_of(model))
    inputs = batch(subject.frame())

    opened = open_tuned(subject.base, save_tuned(subject.finish(model), tmp_path / "tuned", diverged=False))

    assert torch.equal(logits(opened.eval(), inputs), logits(model.eval(), inputs))


def test_the_regulariser_is_that_of_peft(subject: Subject) -> None:
    """Before the first update the singular values are zero, so that singular vectors have no other gradient."""
    gradients = []
    for ours in (False, True):
        model = subject.build()
        if ours:
            hook_of(model).before()
        else:
            model(**batch(subject.frame())).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if ".lora_A." in name})

    for name, gradient in gradients[0].items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_what_a_hook_remembers_is_what_another_would_know(subject: Subject) -> None:
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
