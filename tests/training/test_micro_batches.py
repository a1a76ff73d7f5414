"""Updates that are made in parts of their batch: the same gradient, less memory, and a state that stays valid."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtpeft.core.errors import TryAgainError
from mtpeft.core.files import read_record
from mtpeft.core.provenance import Execution
from mtpeft.training import finetune as finetuning
from mtpeft.training.contrastive import objective
from mtpeft.training.finetune import finetune
from mtpeft.training.micro_batches import halved_micro_batch, micro_batches_of
from mtpeft.training.objective import TARGET_POSITIONS, target_positions
from support.batch_gradients import (
    BOTH,
    OUT_OF_MEMORY,
    WIDTH,
    differentiated,
    fits,
    gradient_of,
    of_two_languages,
    rows_of,
)
from support.method import Subject
from support.model import cell, inputs, train_params
from support.training import at_update, results


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A method with parameters for each language, of which a row trains its own."""
    return of_two_languages(tmp_path_factory.mktemp("mbart"))


LOSSES = pytest.mark.parametrize("losses", [[], BOTH[:1], BOTH[1:], BOTH], ids=str)


@LOSSES
def test_a_batch_that_is_not_cut_is_differentiated_as_one(subject: Subject, losses: list[str]) -> None:
    of = differentiated(subject.stirred(), losses)
    rows = of.objective.complete(rows_of(subject))
    for module in of.task_modules:
        module.task_ids = rows["task_ids"]
    given = {name: tensor for name, tensor in rows.items() if name != "task_ids"}
    given[TARGET_POSITIONS] = target_positions(rows["labels"])
    loss = of.objective.backward(of.model, given, of.options, of.objective.sizes(rows))
    found, gradients = gradient_of(subject, losses)
    assert found.loss.equal(loss)
    assert all(own.equal(weight.grad) for own, weight in zip(gradients, of.trained, strict=True))


@LOSSES
@pytest.mark.parametrize("rows", [1, 2])
def test_parts_add_up_to_the_gradient_of_the_batch(subject: Subject, losses: list[str], rows: int) -> None:
    whole, expected = gradient_of(subject, losses)
    found, gradients = gradient_of(subject, losses, rows * WIDTH)
    assert found.loss.item() == pytest.approx(whole.loss.item(), rel=1e-6)
    assert found.tokens == whole.tokens
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("micro_batch_tokens", "rows", "next_smaller"),
    [
        (None, [3], WIDTH),
        (3 * WIDTH, [3], WIDTH),
        (3 * WIDTH - 1, [2, 1], WIDTH),
        (WIDTH, [1, 1, 1], None),
        (1, [1] * 3, None),
    ],
)
def test_a_batch_is_cut_into_parts_of_some_padded_tokens_or_of_a_row(
    subject: Subject, micro_batch_tokens: int | None, rows: list[int], next_smaller: int | None
) -> None:
    parts = list(micro_batches_of(rows_of(subject), micro_batch_tokens))
    assert [len(part["labels"]) for part in parts] == rows
    assert torch.cat([part["labels"] for part in parts]).equal(rows_of(subject)["labels"])
    assert halved_micro_batch(rows_of(subject), micro_batch_tokens) == next_smaller


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_an_update_that_is_out_of_memory_is_done_again_in_smaller_parts(subject: Subject, error: Exception) -> None:
    found, gradients = gradient_of(subject, fits(objective(BOTH), 1, error))
    expected, others = gradient_of(subject, BOTH, WIDTH)
    assert found.micro_batch_tokens == WIDTH
    assert found.loss.equal(expected.loss)
    assert all(map(torch.equal, gradients, others))


def test_a_row_that_is_too_large_and_any_other_error_are_no_reason_to_cut(subject: Subject) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        gradient_of(subject, fits(objective([]), 0, OUT_OF_MEMORY[0]))
    with pytest.raises(RuntimeError, match="shapes"):
        gradient_of(subject, fits(objective([]), 1, RuntimeError("shapes")))


@pytest.fixture
def train(sweep: Path) -> Callable[..., Any]:
    """Train the same small cell into a folder, in some execution."""

    def run(folder: Path, execution: Execution = Execution()) -> dict[str, Any]:  # noqa: B008
        label = cell("adapter")
        finetune(
            train_params("adapter"), label, inputs=inputs(sweep), record=folder / "train.json", execution=execution
        )
        return results(folder)

    return run


def memory_for(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every cell that this test trains have memory for so many rows."""
    monkeypatch.setattr(finetuning, "objective", lambda losses: fits(objective(losses), rows, OUT_OF_MEMORY[0]))


def test_a_run_goes_on_with_the_parts_that_memory_sufficed_for(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt has memory for all rows, but is to end with the same bits, dropout included."""
    with monkeypatch.context() as patch:
        memory_for(3, patch)
        whole = train(tmp_path / "whole")
        with at_update(9, lambda: signal.raise_signal(signal.SIGTERM), patch), pytest.raises(TryAgainError):
            train(tmp_path / "stopped")
    assert train(tmp_path / "stopped") == whole
    cut = [
        read_record(tmp_path / name / "train.json")["execution"]["micro_batch_tokens"] for name in ("whole", "stopped")
    ]
    assert cut[0] == cut[1] is not None


@pytest.mark.parametrize("sizes", [(None, 32), (32, None)])
def test_a_state_is_valid_for_any_micro_batch(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int | None, int | None]
) -> None:
    before, after = (Execution(micro_batch_tokens=size) for size in sizes)
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        train(tmp_path, before)
    train(tmp_path, after)
    record = read_record(tmp_path / "train.json")
    assert record["starts"] == 2
    assert record["execution"]["micro_batch_tokens"] == 32
    assert "micro_batch_tokens" not in str(record["params"])


def test_a_row_that_does_not_fit_ends_the_attempt_and_is_tried_again(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_for(0, monkeypatch)
    with pytest.raises(TryAgainError, match="Out of memory"):
        train(tmp_path)
