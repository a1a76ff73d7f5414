"""Context-PEFT in a decoder-only model: each token meets the set of its own side and language alone."""

from pathlib import Path

import pytest
import torch

from mtpeft.data.batch_layout import model_inputs, prompt_lengths
from mtpeft.methods.context_adapter import ContextLayer, keep_pair
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.models.load import parameters
from mtpeft.training.finetune import save_tuned
from support.method import Subject, batch, logits, prompts_known, write_base

LANGUAGES = {"source": ["es", "ca"], "target": ["en", "en"]}
"""Of two pairs: two sources, and one target."""
VARIANTS = {"lora": {"method": "context_lora", "scaling": 2.0}, "ia3": {"method": "context_ia3"}}
SETS = {"es": 0, "ca": 1, "en": 2}


@pytest.fixture(params=VARIANTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """A group of two pairs on a tiny Llama."""
    options = VARIANTS[request.param] | {"languages": LANGUAGES}
    return Subject(write_base("llama", tmp_path / "base"), options, 0.1 if request.param == "lora" else None)


def _layers(model: torch.nn.Module) -> list[ContextLayer]:
    return [module for module in model.modules() if isinstance(module, ContextLayer)]


def test_the_set_of_a_source_gets_no_gradient_from_target_tokens_at_their_positions(subject: Subject) -> None:
    model, inputs = subject.stirred(), batch(subject.special_tokens())
    ends, length = prompt_lengths(inputs["labels"]), inputs["input_ids"].shape[1]
    is_target = torch.arange(length)[None] >= ends[:, None]
    set_task_ids(model, torch.tensor([0, 1, 0]))
    with prompts_known(model, inputs):
        model(**inputs, use_cache=False)
        for layer in _layers(model):
            hidden = torch.randn(len(ends), length, layer.base_layer.in_features)
            output = layer(hidden)
            pieces = [getattr(layer, name)["default"] for name in layer.adapter_layer_names]
            for side, meets in ((is_target, ["en"]), (~is_target, ["es", "ca"])):
                gradients = torch.autograd.grad((output * side[..., None]).square().sum(), pieces, retain_graph=True)
                moved = {name for name, own in SETS.items() if any(part[own].abs().max() > 0 for part in gradients)}
                assert moved == set(meets)


def test_a_set_changes_what_is_computed_of_its_own_tokens_and_of_those_that_attend_to_them(subject: Subject) -> None:
    model, inputs = subject.stirred(), batch(subject.special_tokens())
    set_task_ids(model, torch.tensor([0, 1, 0]))
    before = logits(model, inputs)
    prompts = torch.arange(before.shape[1])[None] < prompt_lengths(inputs["labels"])[:, None]
    changes = {}
    for name, own in SETS.items():
        changed = subject.stirred()
        set_task_ids(changed, torch.tensor([0, 1, 0]))
        with torch.no_grad():
            for layer in _layers(changed):
                for piece in layer.adapter_layer_names:
                    getattr(layer, piece)["default"][own] += 0.3
        changes[name] = (logits(changed, inputs) - before).abs().amax(dim=-1) * inputs["attention_mask"]
    assert bool((changes["en"][prompts] == 0).all()), "prompts stand before every target"
    assert bool((changes["en"][~prompts & inputs["attention_mask"].bool()] > 0).all())
    rows = {"es": [0, 2], "ca": [1]}
    for name, own in rows.items():
        others = [row for row in range(3) if row not in own]
        assert bool((changes[name][others] == 0).all())
        assert bool((changes[name][own][inputs["attention_mask"][own].bool()] > 0).all())


def test_rows_of_two_pairs_are_what_each_is_alone(subject: Subject) -> None:
    model, special_tokens = subject.stirred(), subject.special_tokens()
    source, target = torch.arange(7, 12), torch.arange(20, 24)
    both = model_inputs([source, source], [target, target], special_tokens=special_tokens)
    set_task_ids(model, torch.tensor([0, 1]))
    together = logits(model, both)
    assert not torch.allclose(together[0], together[1])
    for task_id in (0, 1):
        set_task_ids(model, task_id)
        (alone,) = logits(model, model_inputs([source], [target], special_tokens=special_tokens))
        torch.testing.assert_close(together[task_id], alone)


def test_the_sets_of_one_pair_are_handed_over_alone(subject: Subject, tmp_path: Path) -> None:
    model, inputs = subject.stirred(), batch(subject.special_tokens())
    set_task_ids(model, 1)
    before, numbers = logits(model, inputs), parameters(model)[1]
    keep_pair(model, 1)
    assert torch.equal(logits(model, inputs), before)
    assert parameters(model)[1] == numbers * 2 // 3
    opened = open_tuned(subject.base, save_tuned(model, tmp_path / "alone", diverged=False)).eval()
    torch.testing.assert_close(logits(opened, inputs), before)
