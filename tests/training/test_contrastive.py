"""The losses of T-Few against the same written out sentence by sentence, and their place in a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mtpeft.cells import Cell
from mtpeft.cluster.preemption import PreemptionHandler
from mtpeft.config.load import merge, validate
from mtpeft.core.errors import StoppedError
from mtpeft.data.token_arrays import IGNORED
from mtpeft.models.load import prepare_torch
from mtpeft.training.contrastive import objective, unlikelihood
from mtpeft.training.loop import TrainingPlan, TrainingTask, train
from mtpeft.training.micro_batches import TrainedModel, accumulate_gradients
from mtpeft.training.objective import LossOptions, Objective, likelihood
from support.config import DEFAULT
from support.method import StopAfter, Subject, batch, write_base
from support.steps import params_of

BOTH = ["unlikelihood", "length_normalised"]
SMOOTHING = 0.1
PLAN = TrainingPlan(
    updates=4,
    learning_rate=0.01,
    warmup=0.25,
    loss=LossOptions(SMOOTHING),
    weight_decay=0.0,
    clip_norm=1.0,
    evaluations=1,
    seed=1,
)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Prompts on a tiny model of a family, since a prompt shows whether the decoder gets the encoder's states right."""
    prepare_torch(1)
    return Subject(write_base("marian", tmp_path_factory.mktemp("marian")), {"method": "prompt"}, share=0.01)


def inputs_of(subject: Subject) -> dict[str, torch.Tensor]:
    """A batch whose targets begin alike, as they do where a token says the language."""
    inputs = batch(subject.special_tokens())
    inputs["labels"][:, 0] = 7
    inputs["decoder_input_ids"][:, 1] = 7
    inputs["labels"][1, 1] = inputs["labels"][0, 1]
    inputs["decoder_input_ids"][1, 2] = inputs["labels"][0, 1]
    return inputs


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


def log_probabilities(model: nn.Module, source: torch.Tensor, begin: torch.Tensor, target: torch.Tensor) -> Any:
    """Of all words at each place of one target for one source."""
    read = torch.cat([begin, target[:-1]])[None]
    return model(input_ids=source[None], decoder_input_ids=read, use_cache=False).logits[0].log_softmax(dim=-1)


def differentiate(chosen: Objective, model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """Loss and target tokens of a batch, whose gradient then lies in the parameters."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    of = TrainedModel(model, trained, chosen, LossOptions(SMOOTHING), ())
    found = accumulate_gradients(of, inputs, seed=1, micro_batch_tokens=None)
    return found.loss, found.tokens


def naive(model: nn.Module, inputs: Mapping[str, torch.Tensor], losses: list[str]) -> torch.Tensor:
    """The losses as the formulas have them."""
    sources = [row[seen > 0] for row, seen in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)]
    targets = [row[row != IGNORED] for row in inputs["labels"]]
    begin = inputs["decoder_input_ids"][0, :1]
    likelihoods, unlikely, choices = [], [], []
    for row, (source, right) in enumerate(zip(sources, targets, strict=True)):
        words = log_probabilities(model, source, begin, right)
        chosen = words[range(len(right)), right]
        likelihoods.append((1 - SMOOTHING) * -chosen + SMOOTHING * -words.mean(dim=1))
        wrong = targets[row - 1]
        if wrong.tolist() == right.tolist():
            continue
        of_wrong = log_probabilities(model, source, begin, wrong)[range(len(wrong)), wrong]
        same = 0
        while right[same] == wrong[same]:
            same += 1
        unlikely.append(-torch.log(1 - of_wrong[same:].exp()))
        both = torch.stack([chosen.mean(), of_wrong.mean()])
        choices.append(-both.log_softmax(dim=0)[0])
    loss = torch.cat(likelihoods).mean()
    if "unlikelihood" in losses and unlikely:
        loss = loss + torch.cat(unlikely).mean()
    if "length_normalised" in losses and choices:
        loss = loss + torch.stack(choices).mean()
    return loss


@pytest.mark.parametrize("losses", [BOTH[:1], BOTH[1:], BOTH], ids=str)
def test_losses_are_those_of_the_formulas(subject: Subject, losses: list[str]) -> None:
    inputs, model, other = inputs_of(subject), subject.stirred(), subject.stirred()
    loss, tokens = differentiate(objective(losses), model, inputs)
    expected = naive(other, inputs, losses)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert tokens == int((inputs["labels"] != IGNORED).sum())
    for name, gradient in gradients(other).items():
        torch.testing.assert_close(gradients(model)[name], gradient, rtol=1e-3, atol=1e-6)


def test_a_target_is_no_wrong_one_for_a_source_that_shares_it(subject: Subject) -> None:
    inputs, model, other = inputs_of(subject), subject.stirred(), subject.stirred()
    for name in ("labels", "decoder_input_ids"):
        inputs[name][1] = inputs[name][2]
    loss, _ = differentiate(objective(BOTH), model, inputs)
    assert loss.item() == pytest.approx(naive(other, inputs, BOTH).item(), rel=1e-5)


def test_a_sentence_alone_has_no_wrong_target(subject: Subject) -> None:
    inputs = {name: tensor[:1] for name, tensor in inputs_of(subject).items()}
    model, other = subject.stirred(), subject.stirred()
    losses = [
        differentiate(chosen, one, inputs)[0].item() for chosen, one in ((objective(BOTH), model), (likelihood, other))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_wrong_target_with_probability_one_has_a_finite_loss_and_gradient() -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    loss = unlikelihood(logits, torch.tensor([[0]]), torch.tensor([[1]]))
    loss.backward()
    assert 190 < loss.item() < 200
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0, -0.5, -0.5]]))


def test_without_losses_the_likelihood_is_minimised() -> None:
    assert objective([]) is likelihood


def test_a_run_goes_on_where_it_stopped(subject: Subject, tmp_path: Path) -> None:
    scores = iter(range(100))
    (tmp_path / "whole").mkdir()
    (tmp_path / "halved").mkdir()

    def task() -> TrainingTask:
        model = subject.build()
        for module in model.modules():
            if hasattr(module, "dropout"):
                module.dropout = 0.2
        return TrainingTask(
            model=model,
            batch=lambda update: batch(subject.special_tokens(), seed=update),
            evaluate=lambda poll: float(next(scores)),
            identity="test",
            objective=lambda update: objective(BOTH),
        )

    whole, halved = task(), task()
    train(whole, PLAN, state_folder=tmp_path / "whole", preemption=PreemptionHandler())
    with pytest.raises(StoppedError):
        train(task(), PLAN, state_folder=tmp_path / "halved", preemption=StopAfter(2))
    train(halved, PLAN, state_folder=tmp_path / "halved", preemption=PreemptionHandler())
    for one, other in zip(whole.model.parameters(), halved.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not all(map(torch.equal, subject.build().parameters(), whole.model.parameters()))


def test_params_have_losses_where_the_method_has_some() -> None:
    cell = Cell("small", "pt-en", "n1600", "lora", "b5", "1")
    named = merge(DEFAULT, {"methods": {"lora": {"losses": BOTH}}})
    assert "losses" not in params_of("train", validate(DEFAULT), cell)["method"]
    assert params_of("train", validate(named), cell)["method"]["losses"] == BOTH
