"""The training engine: what an update sees, which weights are kept, and what is recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from mtpeft.core.files import canonical, read_record
from mtpeft.data.token_arrays import IGNORED, read_arrays
from mtpeft.training import build_model
from mtpeft.training.batches import BatchOrder
from mtpeft.training.cross_entropy import cross_entropy_in_place
from mtpeft.training.finetune import plan_of, prepare_training, stage_models
from mtpeft.training.loop import TrainingRun, TrainingTask, _update, evaluation_steps
from mtpeft.training.optimizer import scheduled_rate
from mtpeft.training.params import CellParams
from support.adapter import SPECIAL_TOKENS
from support.model import (
    UPDATES,
    arrays,
    batches,
    cell,
    decode_params,
    files_of,
    inputs,
    train_cell,
    train_params,
)
from support.record import schema_mistakes
from support.training import PARAMS, run_command, trainer

LENGTHS = np.random.default_rng(2).integers(3, 40, size=700)


def test_every_row_comes_once_per_epoch() -> None:
    order = BatchOrder(LENGTHS, 256, seed=1)
    seen: list[int] = []
    update = 0
    while len(seen) < 3 * len(LENGTHS):
        seen.extend(order.rows(update).tolist())
        update += 1
    epochs = np.reshape(seen, (3, len(LENGTHS)))
    assert (np.sort(epochs) == np.arange(len(LENGTHS))).all()
    assert not (epochs[0] == epochs[1]).all()


@pytest.mark.parametrize("batch_tokens", [30, 64, 1000, 10**6])
def test_batches_keep_to_their_tokens(batch_tokens: int) -> None:
    order = BatchOrder(LENGTHS, batch_tokens, seed=1)
    for rows in (order.rows(update) for update in range(60)):
        assert len(rows) * LENGTHS[rows].max() <= batch_tokens or len(rows) == 1


def test_batches_are_functions_of_seed_and_update() -> None:
    forward = [BatchOrder(LENGTHS, 256, seed=1).rows(update).tolist() for update in (0, 40, 200, 333)]
    order = BatchOrder(LENGTHS, 256, seed=1)
    assert [order.rows(update).tolist() for update in (333, 200, 40, 0)] == forward[::-1]
    assert [BatchOrder(LENGTHS, 256, seed=2).rows(update).tolist() for update in (0, 40, 200, 333)] != forward


def test_batches_hold_sentences_of_like_length() -> None:
    order = BatchOrder(LENGTHS, 256, seed=1)
    batches = [LENGTHS[order.rows(update)] for update in range(40)]
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert sum(batch.sum() for batch in batches) > 0.9 * padded


def test_learning_rate_rises_and_falls_in_straight_lines() -> None:
    rates = [scheduled_rate(update, peak=1.0, updates=20, warmup=0.25) for update in range(20)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert np.diff(rates[5:]) == pytest.approx([-1 / 15] * 14)
    assert rates[-1] > 0


@pytest.mark.parametrize(("updates", "evaluations"), [(12, 3), (7, 3), (2, 8), (1, 1)])
def test_dev_is_evaluated_before_and_after(updates: int, evaluations: int) -> None:
    marks = evaluation_steps(updates, evaluations)
    assert {0, updates} <= marks <= set(range(updates + 1))
    assert len(marks) == min(updates, evaluations) + 1


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_loss_and_gradient_in_place_are_those_of_cross_entropy(label_smoothing: float, spread: float) -> None:
    torch.manual_seed(0)
    logits = (spread * torch.randn(7, 50)).requires_grad_()
    labels = torch.randint(0, 50, (7,))
    loss = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    (gradient,) = torch.autograd.grad(loss, logits)

    found = logits.detach().clone()
    result = cross_entropy_in_place(found, labels, label_smoothing=label_smoothing, tokens=7)
    assert result == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-7)


def test_a_label_with_probability_zero_has_a_finite_loss() -> None:
    logits = torch.tensor([[0.0, 500.0]])
    assert 80 < cross_entropy_in_place(logits, torch.tensor([0]), label_smoothing=0.0, tokens=1) < 90
    assert logits.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("kind", ["full", "adapter", "lora"])
def test_an_update_follows_the_loss_of_every_label_and_of_no_padding(sweep: Path, kind: str) -> None:
    params = train_params(kind, clip_norm=1e9, dropout=0.0, label_smoothing=0.1)
    job = prepare_training(params, inputs(sweep))
    model = next(stage_models(job))
    batch = batches(params, job.inputs, [SPECIAL_TOKENS])
    labels = batch(0)["labels"]
    assert int((labels == IGNORED).sum()) > 0
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}

    logits = model(**{name: tensor for name, tensor in batch(0).items() if name != "labels"}).logits
    assert logits.shape[:2] == labels.shape
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
    expected = dict(zip(trained, torch.autograd.grad(loss, [*trained.values()]), strict=True))

    task = TrainingTask(model=model, batch=batch, evaluate=lambda poll: 0.0, identity="")
    found = _update(
        task,
        plan_of(CellParams.of(params), 1.0, stage=0),
        torch.optim.SGD([{"params": trained.values(), "factor": 1.0}], lr=1.0),
        TrainingRun(),
        number=0,
    )
    assert (found.loss.item(), found.tokens) == (pytest.approx(loss.item(), rel=1e-5), int((labels != IGNORED).sum()))
    for name, weight in trained.items():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=1e-6)
    assert model(**{name: tensor for name, tensor in batch(0).items() if name != "labels"}).logits.ndim == 3


@pytest.mark.usefixtures("own_life")
@pytest.mark.parametrize(
    ("kind", "rate", "beam_size"),
    [("full", 1e4, 1), ("full", 1e30, 4), ("lora", 1e4, 4), ("lora", 1e30, 1), ("adapter", 1e30, 1)],
)
def test_divergence_is_a_result(
    sweep: Path, tmp_path: Path, capsys: Any, kind: str, rate: float, beam_size: int
) -> None:
    params = train_params(kind, learning_rate=rate, evaluations=UPDATES)
    params["search"]["beam_size"] = beam_size
    assert run_command(trainer(sweep, tmp_path / "train.json", params), capsys)[0] == 0
    record = read_record(tmp_path / "train.json")
    assert (record["status"], record["best_step"], record["stored_bytes"]) == ("diverged", None, 0)
    assert list((tmp_path / "tuned").iterdir()) == []
    label = ["--cell", cell(kind).path]
    decoding = ["--params", canonical(decode_params()), "--trained", str(tmp_path / "train.json")]
    tests = ["--tests", str(arrays(sweep, "test")), "--record", str(tmp_path / "decode.json")]
    assert run_command(["decode", *label, *decoding, *tests], capsys)[0] == 0
    scoring = ["--params", canonical({"target": "en"}), "--decoded", str(tmp_path / "decode.json")]
    references = ["--references", str(sweep / "data/pairs/es-en/test.tsv"), "--record", str(tmp_path / "score.json")]
    assert run_command(["score", *label, *scoring, *references], capsys)[0] == 0
    assert read_record(tmp_path / "score.json")["status"] == "diverged"
    assert read_record(tmp_path / "score.json")["test_sets"] == {}


def test_a_training_that_only_harms_ends_with_the_base_model(sweep: Path, tmp_path: Path) -> None:
    """The norms behind an adapter keep the loss finite at any rate: nothing explodes, and step 0 is the best."""
    record = read_record(train_cell(sweep, tmp_path, train_params("adapter", learning_rate=1e4)))
    assert (record["status"], record["best_step"], record["updates"]) == ("ok", 0, UPDATES)
    tuned = load_file(tmp_path / "tuned/adapter_model.safetensors")
    assert all(not tensor.any() for name, tensor in tuned.items() if "bottleneck_up" in name)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_of_equal_scores_the_first_is_best_and_step_0_is_a_candidate(sweep: Path, tmp_path: Path, kind: str) -> None:
    record = read_record(train_cell(sweep, tmp_path, train_params(kind, learning_rate=1e-12)))
    assert record["best_step"] == 0
    assert record["updates"] == UPDATES
    base = load_file(sweep / "results/models/tiny/checkpoint/model.safetensors")
    if kind == "full":
        tuned = load_file(tmp_path / "tuned/model.safetensors")
        assert tuned.keys() == base.keys()
        assert all(torch.equal(tuned[name], base[name]) for name in base)
    else:
        tuned = load_file(tmp_path / "tuned/adapter_model.safetensors")
        assert all(not tensor.any() for name, tensor in tuned.items() if "lora_B" in name)


def test_patience_stops_training_from_scratch(sweep: Path, tmp_path: Path) -> None:
    record = read_record(train_cell(sweep, tmp_path, train_params("scratch", learning_rate=1e-12)))
    longest = 2 * UPDATES
    assert record["updates"] == 2 * longest // (2 * 3)
    assert record["best_step"] == 0
    steps = [entry["step"] for entry in record["dev_history"]]
    assert steps == [0, longest // 6, 2 * longest // 6]


def test_scratch_starts_from_the_seed_and_not_from_the_base(sweep: Path, tmp_path: Path) -> None:
    weights = []
    for seed in (1, 1, 2):
        params = train_params("scratch", learning_rate=1e-12) | {"seed": seed}
        folder = tmp_path / str(len(weights))
        train_cell(sweep, folder, params)
        weights.append(load_file(folder / "tuned/model.safetensors")["model.shared.weight"])
    base = load_file(sweep / "results/models/tiny/checkpoint/model.safetensors")["model.shared.weight"]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], base)


def test_another_seed_gives_another_result(sweep: Path, uninterrupted: Callable, tmp_path: Path) -> None:
    train_cell(sweep, tmp_path, PARAMS["adapter"] | {"seed": 2})
    name = "tuned/adapter_model.safetensors"
    assert files_of(tmp_path)[name] != uninterrupted("adapter")[name]


@pytest.mark.parametrize("kind", ["full", "adapter", "lora", "scratch"])
def test_train_record_follows_its_schema_and_counts(sweep: Path, uninterrupted: Callable, kind: str) -> None:
    record = uninterrupted(kind)["train.json"]
    total, trained = record["total_parameters"], record["trained_parameters"]
    if kind in ("adapter", "lora"):
        assert int(record["budget_requested"] * total) == trained + record["left_over_parameters"]
    else:
        assert trained == total
    assert record["budget_achieved"] == trained / total
    assert record["training_pairs"] == len(read_arrays(arrays(sweep, "train")).source)
    stored = sum(len(content) for name, content in uninterrupted(kind).items() if name.startswith("tuned/"))
    assert record["stored_bytes"] == stored


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_whole_record_is_valid(sweep: Path, tmp_path: Path, kind: str) -> None:
    record = train_cell(sweep, tmp_path, train_params(kind, updates=1, evaluations=1))
    assert schema_mistakes(record, "train") == []


def test_a_parameter_count_that_differs_from_the_built_model_is_an_error(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build_model.parameters
    monkeypatch.setattr(build_model, "parameters", lambda model: (real(model)[0], real(model)[1] + 1))
    with pytest.raises(AssertionError, match=r"counted \d+ trained of \d+ parameters, built \d+"):
        train_cell(sweep, tmp_path, PARAMS["lora"])
    assert not (tmp_path / "train.json").exists()
