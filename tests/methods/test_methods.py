"""Every method on families of models: its properties, and the exceptions that the table names."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn

from mtpeft.cluster.preemption import PreemptionHandler
from mtpeft.core.errors import StoppedError
from mtpeft.core.options import DecodingOptions
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED
from mtpeft.decoding.search import length_limits, translate
from mtpeft.methods import METHODS, method_of
from mtpeft.methods.base import UpdateHook
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.load import load_base, parameters, prepare_torch
from mtpeft.models.precision import BasePrecision
from mtpeft.training.build_model import checkpoint_activations
from mtpeft.training.finetune import save_tuned
from mtpeft.training.loop import TrainingPlan, TrainingTask, train
from mtpeft.training.objective import LossOptions
from support.method import FAMILIES, Check, StopAfter, Subject, batch, logits, prompts_known, sources, stir, write_base
from support.method_cases import CASES as OWN_CASES
from support.method_cases import CAUSAL, Case
from support.peft_cases import PEFT_CASES

CASES = OWN_CASES | PEFT_CASES
FIRST = list({case.options["method"]: name for name, case in reversed(CASES.items())}.values())
"""The first case of each method."""
SEARCH = DecodingOptions(beam_size=1, length_penalty=1.0, max_length_ratio=1.0)
MERGED = 3e-4
"""Share of the largest logit by which a merged model may differ: sums in another order, which processors round each in
its own way (8e-5 was measured where factors are large), while one that is merged wrongly differs by more
than a hundredth."""
ROUGH = ("DELORA", "RANDLORA", "WAVEFT")
"""Methods whose large factors round off more than the others do: checkpointed, they are as near as 3e-5."""
PLAN = TrainingPlan(
    updates=4,
    learning_rate=0.01,
    warmup=0.25,
    loss=LossOptions(0.1),
    weight_decay=0.0,
    clip_norm=1.0,
    evaluations=1,
    seed=1,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of a family, made once."""
    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            made[family] = write_base(family, tmp_path_factory.mktemp(family))
        return made[family]

    return of


def _it_starts_as_the_base(subject: Subject, folder: Path) -> None:
    inputs = batch(subject.special_tokens())
    read = inputs["labels"] != IGNORED  # behind a target, embeddings that are given have other positions in M2M-100
    assert torch.equal(logits(subject.start, inputs)[read], logits(subject.base_model, inputs)[read])


def _it_trains_what_was_counted(subject: Subject, folder: Path) -> None:
    total, trained = parameters(subject.start)
    begins = subject.method.parameters_at_start
    counted = begins(subject.shape, subject.options, subject.allocation.sizes) if begins else subject.allocation.trained
    assert trained == counted
    assert total - trained == subject.shape.total
    if subject.share:
        assert subject.allocation.trained + subject.allocation.left_over == int(subject.share * subject.shape.total)


def _it_stores_what_was_counted(subject: Subject, folder: Path) -> None:
    files = _stored(subject, folder).rglob("*.safetensors")
    assert sum(tensor.numel() for file in files for tensor in load_file(file).values()) == subject.stored


def _all_that_is_trained_gets_a_gradient_and_nothing_else(subject: Subject, folder: Path) -> None:
    model, inputs = subject.stirred(), batch(subject.special_tokens())
    with prompts_known(model, inputs):
        model(**inputs).loss.backward()
    for name, parameter in model.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert moved == parameter.requires_grad, name


@torch.inference_mode()
def _a_batch_with_cache_is_its_sentences_without(subject: Subject, folder: Path) -> None:
    model, special_tokens = subject.trained, subject.special_tokens()
    found = translate(model, sources(), SEARCH, special_tokens=special_tokens)
    for source, tokens in zip(sources(), found, strict=True):
        target = torch.tensor([*tokens, special_tokens.end])
        given = model_inputs([source], [target], special_tokens=special_tokens)
        alone = logits(model, given)[given["labels"] != IGNORED].argmax(dim=-1)
        assert tokens == alone[: len(tokens)].tolist()
        assert (
            len(tokens) == length_limits(SEARCH, np.array([len(source)]), special_tokens)
            or alone[len(tokens)] == special_tokens.end
        )


def _what_is_opened_is_what_was_stored(subject: Subject, folder: Path) -> None:
    model, inputs = subject.finished, batch(subject.special_tokens())
    tuned = _stored(subject, folder)
    opened = open_tuned(subject.base, tuned).eval()
    assert torch.equal(logits(opened, inputs), logits(model, inputs))
    assert parameters(opened)[1] == 0
    if (tuned / "adapter_config.json").exists():
        in_little = PeftModel.from_pretrained(subject.untouched(), tuned, low_cpu_mem_usage=True).eval()
        for (name, weight), own in zip(in_little.named_parameters(), opened.parameters(), strict=True):
            assert torch.equal(weight, own), name
        # Its weights lie at other addresses of memory, and some products are summed in another order for that.
        torch.testing.assert_close(logits(in_little, inputs), logits(model, inputs), rtol=1e-5, atol=1e-5)


def _training_can_go_on_from_what_is_stored(subject: Subject, folder: Path) -> None:
    tuned = _stored(subject, folder)
    if (tuned / "adapter_config.json").exists():
        opened = PeftModel.from_pretrained(subject.untouched(), tuned, is_trainable=True)
        assert parameters(opened)[1] == subject.allocation.trained


def _without_it_the_base_is_there_again(subject: Subject, folder: Path) -> None:
    model, inputs = subject.stirred(), batch(subject.special_tokens())
    plain = logits(subject.base_model, inputs)
    with model.disable_adapter():
        assert torch.equal(logits(model, inputs), plain)
    assert not torch.allclose(logits(model, inputs), plain)
    bare = model.unload()
    assert torch.equal(logits(bare, inputs), plain)
    assert [name for name, _ in bare.named_modules()] == [name for name, _ in subject.base_model.named_modules()]


def _merging_changes_nothing(subject: Subject, folder: Path) -> None:
    model, inputs = subject.finish(subject.stirred()), batch(subject.special_tokens())
    before = logits(model, inputs)
    merged = model.merge_and_unload()
    assert (logits(merged, inputs) - before).abs().max() < MERGED * before.abs().max()
    assert [name for name, _ in merged.named_modules()] == [name for name, _ in subject.base_model.named_modules()]


def _gradients_are_the_same_with_checkpointing(subject: Subject, folder: Path) -> None:
    inputs, found = batch(subject.special_tokens()), []
    for checkpointing in (False, True):
        model = subject.stirred().train()
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        with prompts_known(model, inputs):
            model(**inputs, use_cache=False).loss.backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad})
    largest = max(gradient.abs().max().item() for gradient in found[0].values())
    rough = {"rtol": 1e-4, "atol": 3e-5 * max(1.0, largest)} if subject.options.method in ROUGH else {}
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name, **rough)


def _it_goes_on_where_it_stopped(subject: Subject, folder: Path) -> None:
    _goes_on(subject.build, subject, PLAN, folder)


def _goes_on(
    build: Callable[[], nn.Module], subject: Subject, plan: TrainingPlan, folder: Path
) -> dict[str, torch.Tensor]:
    """Train in one go, and with a stop between; asserts that both end with the same bits, and returns them."""
    scores = iter(range(100))
    whole, halved = folder / "whole", folder / "halved"
    for state in (whole, halved):
        state.mkdir(parents=True)
    task = _task(build(), subject, scores)
    train(task, plan, state_folder=whole, preemption=PreemptionHandler())
    with pytest.raises(StoppedError):
        train(_task(build(), subject, scores), plan, state_folder=halved, preemption=StopAfter(2))
    resumed = _task(build(), subject, scores)
    train(resumed, plan, state_folder=halved, preemption=PreemptionHandler())
    trained, found = (
        {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
        for model in (task.model, resumed.model)
    )
    for name, weight in trained.items():
        assert torch.equal(found[name], weight), name
    return trained


def _task(model: nn.Module, subject: Subject, scores: Iterator[int]) -> TrainingTask:
    """Some updates on batches that differ, with dev scores that rise, so that the last weights are kept."""
    special_tokens = subject.special_tokens()
    method = subject.method
    task = TrainingTask(
        model=model,
        batch=lambda update: batch(special_tokens, seed=update),
        evaluate=lambda poll: float(next(scores)),
        identity="test",
        hook=method.hook(model) if method.hook else UpdateHook(),
    )
    factor = method.rate_factor
    return replace(task, rate_factor=lambda name: factor(name, subject.options)) if factor else task


def _stored(subject: Subject, folder: Path) -> Path:
    """The folder of the trained model, which is stored once for all checks."""
    tuned = folder.parent / "tuned"
    return tuned if tuned.exists() else save_tuned(subject.finished, tuned, diverged=False)


CHECKS: dict[str, Check] = {
    check.__name__.strip("_").replace("_", " "): check
    for check in (
        _it_starts_as_the_base,
        _it_trains_what_was_counted,
        _it_stores_what_was_counted,
        _all_that_is_trained_gets_a_gradient_and_nothing_else,
        _a_batch_with_cache_is_its_sentences_without,
        _what_is_opened_is_what_was_stored,
        _training_can_go_on_from_what_is_stored,
        _without_it_the_base_is_there_again,
        _merging_changes_nothing,
        _gradients_are_the_same_with_checkpointing,
        _it_goes_on_where_it_stopped,
    )
}
ERRORS = (AssertionError, ValueError, NotImplementedError, RuntimeError, AttributeError)


@pytest.mark.parametrize(
    ("method", "family"), [(name, family) for name, case in CASES.items() for family in case.families]
)
def test_a_method_has_its_properties(
    base: Callable[[str], Path], tmp_path: Path, subtests: Any, method: str, family: str
) -> None:
    prepare_torch(1)
    case = CASES[method]
    subject = Subject(base(family), case.options, case.share)
    if family in case.nothing:
        assert subject.method.target_modules(subject.shape, subject.options) == []
        return
    for number, (name, check) in enumerate(CHECKS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        but = case.exceptions.get(name)
        with subtests.test(name):
            if but and family in but.families:
                with pytest.raises(ERRORS if but.says else AssertionError, match=but.says or None):
                    check(subject, folder)
            else:
                check(subject, folder)


@pytest.mark.parametrize("method", [name for name in FIRST if CASES[name].options["method"] != "staged_full"])
def test_trained_weights_have_32_bits_beside_a_base_in_16_bits(
    base: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    subject, precision = _in_first_family(base, CASES[method]), BasePrecision("tiny", precision="bfloat16")
    entry = subject.method
    model = entry.apply(load_base(subject.base, precision), subject.allocation.sizes, subject.options).eval()
    stir(model)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}
    begins = entry.parameters_at_start
    counted = begins(subject.shape, subject.options, subject.allocation.sizes) if begins else subject.allocation.trained
    assert sum(weight.numel() for weight in trained) == counted
    model = subject.finish(model)
    opened = open_tuned(subject.base, save_tuned(model, tmp_path / "tuned", diverged=False), precision).eval()
    inputs = batch(subject.special_tokens())
    assert torch.equal(logits(opened, inputs), logits(model, inputs))


@pytest.mark.parametrize("method", FIRST)
def test_a_method_goes_on_in_bfloat16_with_checkpointed_activations(
    base: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    prepare_torch(1)
    subject = _in_first_family(base, CASES[method])

    def build() -> nn.Module:
        model = subject.build()
        checkpoint_activations(model)
        return model

    in_bfloat16 = _goes_on(build, subject, replace(PLAN, loss=LossOptions(0.1, "bf16")), tmp_path / "bf16")
    with_32_bits = _goes_on(build, subject, PLAN, tmp_path / "float32")
    assert any(not torch.equal(in_bfloat16[name], weight) for name, weight in with_32_bits.items())
    assert {weight.dtype for weight in in_bfloat16.values()} == {torch.float32}


@pytest.mark.parametrize("method", CASES)
def test_the_registry_says_what_the_table_says(method: str) -> None:
    case = CASES[method]
    entry = method_of(case.options)
    assert entry.starts_as_base == ("it starts as the base" not in case.exceptions)
    but = case.exceptions.get("merging changes nothing")
    assert entry.mergeable == (but is None or set(but.families) == set(CAUSAL))
    assert entry.where
    assert set(case.exceptions) <= set(CHECKS)
    assert (entry.trains == "budgeted") == (case.share is not None)


@pytest.mark.parametrize("method", CASES)
def test_stored_folders_have_the_peft_type_of_their_method(
    base: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    subject = _in_first_family(base, CASES[method])
    folder = save_tuned(subject.finish(subject.build()), tmp_path / "tuned", diverged=False)
    configs = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("adapter_config.json"))]
    assert " ".join(config["peft_type"] for config in configs) == CASES[method].folder


def _in_first_family(base: Callable[[str], Path], case: Case) -> Subject:
    return Subject(base(next(iter(FAMILIES))), case.options, case.share)


def test_no_method_is_left_out() -> None:
    tried: Mapping[str, Any] = {case.options["method"]: case for case in CASES.values()}
    assert {name for name, method in METHODS.items() if method.target_modules} == set(tried)
