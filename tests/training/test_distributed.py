"""Several processes that train one model: the same run as that of one process, within rounding."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mtpeft.cells import Cell
from mtpeft.core.errors import TryAgainError
from mtpeft.core.files import read_record
from mtpeft.core.provenance import Execution
from mtpeft.models.load import load_base
from mtpeft.training import distributed
from mtpeft.training import finetune as finetuning
from mtpeft.training.checkpoint import CHECKPOINT_FILE
from mtpeft.training.contrastive import objective
from mtpeft.training.finetune import finetune
from support.batch_gradients import BOTH, OUT_OF_MEMORY, fits, gradient_of, of_two_languages
from support.family import family_inputs, family_params
from support.model import inputs, pretrain_base, pretrain_params, train_params
from support.ranks import in_ranks, losses_of
from support.training import at_update, results

PLAIN, SHARDED = Execution(), Execution(sharded=True)
LORA, FULL, IN_SHARDS = ("lora", PLAIN), ("full", PLAIN), pytest.param("full", SHARDED, marks=pytest.mark.slow)
WAYS = pytest.mark.parametrize(("method", "execution"), [LORA, FULL, IN_SHARDS], ids=["lora", "full", "in shards"])
FEW = pytest.mark.parametrize(
    ("method", "execution"),
    [LORA, pytest.param(*FULL, marks=pytest.mark.slow), IN_SHARDS],
    ids=["lora", "full", "in shards"],
)
TOLERANCE = 1e-5
"""Between weights, after twelve updates that move each by up to 0.003."""


def method_params(method: str) -> dict[str, Any]:
    """Without dropout, whose masks depend on the parts."""
    params = train_params(method, dropout=0.0, learning_rate=0.003)
    params["method"].pop("losses", None)
    return params


@pytest.fixture
def train(sweep: Path) -> Callable[..., Any]:
    """Train a cell into a folder, in this process."""

    def run(folder: Path, method: str, execution: Execution = PLAIN, **params: Any) -> None:
        label = Cell("tiny", "es-en", "n44", method, "all" if method == "full" else "b5", "1")
        told = method_params(method) | params
        finetune(told, label, inputs=inputs(sweep), record=folder / "train.json", execution=execution)

    return run


def stop(update: int, patch: pytest.MonkeyPatch) -> Any:
    return at_update(update, lambda: signal.raise_signal(signal.SIGTERM), patch)


def assert_alike(folder: Path, other: Path) -> None:
    """Weights are equal within the rounding of twelve updates, but for biases of keys, on which nothing depends.

    They add the same to the scores of all keys, so their gradients are rounding errors, of which Adam makes steps.
    """
    one, two = (load_file(*(own / "tuned").glob("*.safetensors")) for own in (folder, other))
    assert one.keys() == two.keys()
    apart = {name: (one[name] - two[name]).abs().max().item() for name in one if not name.endswith("k_proj.bias")}
    assert {name: by for name, by in apart.items() if by > TOLERANCE} == {}


def up_to_rounding(history: list[dict[str, float]]) -> list[dict[str, float]]:
    """Evaluations with the same dev scores, and losses that may differ by rounding."""
    return [
        {**entry, **({"loss": pytest.approx(entry["loss"], rel=1e-5)} if "loss" in entry else {})} for entry in history
    ]


@WAYS
def test_two_processes_train_as_one_does(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, execution: Execution
) -> None:
    """The same losses, dev scores and weights, within the rounding of twelve updates."""
    alone = losses_of(lambda: train(tmp_path / "one", method), monkeypatch)
    found = in_ranks(
        tmp_path / "ranks", lambda rank: losses_of(lambda: train(tmp_path / "two", method, execution), monkeypatch)
    )
    assert found[0] == found[1]
    assert found[0] == pytest.approx(alone, rel=1e-5)
    one, two = (read_record(tmp_path / name / "train.json") for name in ("one", "two"))
    assert two["dev_history"] == up_to_rounding(one["dev_history"])
    for key in ("best_step", "updates", "status", "trained_parameters", "params", "stored_bytes"):
        assert one[key] == two[key], key
    assert [record["execution"]["processes"] for record in (one, two)] == [1, 2]
    assert_alike(tmp_path / "one", tmp_path / "two")
    if method == "full":
        opened = load_base(tmp_path / "two" / "tuned")
        assert opened.config.architectures == load_base(tmp_path / "one" / "tuned").config.architectures


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "gemma2"], ids=["own output projection", "tied"])
def test_a_decoder_only_model_in_shards_trains_as_in_one_process(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = family_inputs(name, sweep, tmp_path / "given")
    label, params = Cell("tiny", "es-en", "n44", "full", "all", "1"), family_params("full")
    params["optimisation"]["learning_rate"] = 0.003

    def run(folder: Path, execution: Execution) -> list[float]:
        record = folder / "train.json"
        return losses_of(lambda: finetune(params, label, inputs=given, record=record, execution=execution), monkeypatch)

    alone = run(tmp_path / "one", PLAIN)
    found = in_ranks(tmp_path / "ranks", lambda rank: run(tmp_path / "two", SHARDED))
    assert found[0] == found[1]
    assert found[0] == pytest.approx(alone, rel=1e-4)
    one, two = (read_record(tmp_path / own / "train.json") for own in ("one", "two"))
    assert one["stored_bytes"] == two["stored_bytes"]
    assert two["dev_history"] == up_to_rounding(one["dev_history"])
    assert_alike(tmp_path / "one", tmp_path / "two")
    assert load_base(tmp_path / "two" / "tuned").config.model_type == name


@FEW
def test_two_processes_go_on_where_they_were_stopped_to_the_same_bits(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, execution: Execution
) -> None:
    """The signal comes to one of them alone, not the one that decides."""
    dropout = {"optimisation": method_params(method)["optimisation"] | {"dropout": 0.1}}

    def halted(rank: int) -> None:
        with stop(5, monkeypatch):
            train(tmp_path / "halted", method, execution, **dropout)

    ended = in_ranks(tmp_path / "ranks", halted)
    assert [isinstance(error, TryAgainError) for error in ended] == [True, True], ended
    in_ranks(tmp_path / "ranks", lambda rank: train(tmp_path / "halted", method, execution, **dropout))
    in_ranks(tmp_path / "ranks", lambda rank: train(tmp_path / "whole", method, execution, **dropout))
    assert results(tmp_path / "halted") == results(tmp_path / "whole")
    assert read_record(tmp_path / "halted/train.json")["starts"] == 2


@FEW
def test_a_state_is_valid_for_any_number_of_processes(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, execution: Execution
) -> None:
    def halted(folder: Path) -> None:
        with stop(5, monkeypatch), pytest.raises(TryAgainError):
            train(folder, method, execution)

    in_ranks(tmp_path / "ranks", lambda rank: halted(tmp_path / "two, one"))
    halted(tmp_path / "one, two")
    states = [safe_open(tmp_path / name / "state" / CHECKPOINT_FILE, "pt") for name in ("two, one", "one, two")]
    shapes = [{name: own.get_slice(name).get_shape() for name in own.keys()} for own in states]  # noqa: SIM118
    assert shapes[0] == shapes[1]
    train(tmp_path / "two, one", method, execution)
    in_ranks(tmp_path / "ranks", lambda rank: train(tmp_path / "one, two", method, execution))
    train(tmp_path / "one", method)
    for name in ("two, one", "one, two"):
        assert read_record(tmp_path / name / "train.json")["starts"] == 2
        assert_alike(tmp_path / "one", tmp_path / name)


@pytest.mark.parametrize("losses", [[], BOTH], ids=str)
def test_processes_sum_up_to_the_gradient_of_the_batch(tmp_path: Path, losses: list[str]) -> None:
    """Of three rows of two pairs, whose parameters are trained by the process that has the row."""
    subject = of_two_languages(tmp_path / "mbart")
    whole, expected = gradient_of(subject, losses)
    for found, gradients in in_ranks(tmp_path / "ranks", lambda rank: gradient_of(subject, losses)):
        assert found.loss.item() == pytest.approx(whole.loss.item(), rel=1e-6)
        assert found.tokens == whole.tokens
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_two_processes_pretrain_as_one_does(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = pretrain_params(updates=6)
    params["config"] |= {"dropout": 0.0}
    alone = losses_of(lambda: pretrain_base(sweep, tmp_path / "one/base.json", params), monkeypatch)
    found = in_ranks(
        tmp_path / "ranks",
        lambda rank: losses_of(lambda: pretrain_base(sweep, tmp_path / "two/base.json", params), monkeypatch),
    )
    assert found == [pytest.approx(alone, rel=1e-5)] * 2
    one, two = (read_record(tmp_path / name / "base.json")["training"] for name in ("one", "two"))
    assert one["target_tokens"] == two["target_tokens"]
    assert [entry["score"] for entry in one["dev_history"]] == pytest.approx(
        [entry["score"] for entry in two["dev_history"]], rel=1e-5
    )


@pytest.fixture
def train_short_of_memory(train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Train in two processes, the second one with memory for so many rows; returns how they ended."""

    def run(rows: int, *told: Any) -> list[Any]:
        def one(rank: int) -> None:
            own = rows if rank else 1000
            monkeypatch.setattr(finetuning, "objective", lambda losses: fits(objective(losses), own, OUT_OF_MEMORY[0]))
            train(tmp_path / "short", *told)

        return in_ranks(tmp_path / "ranks", one)

    return run


def assert_in_parts(folder: Path, whole: Path) -> None:
    """A training in smaller parts was that of another folder, whose updates were whole."""
    assert read_record(folder / "train.json")["execution"]["micro_batch_tokens"] is not None
    assert_alike(whole, folder)


def test_memory_that_one_process_lacks_makes_all_of_them_take_smaller_parts(
    train: Callable, train_short_of_memory: Callable, tmp_path: Path
) -> None:
    assert train_short_of_memory(2, "lora") == [None, None]
    train(tmp_path / "one", "lora")
    assert_in_parts(tmp_path / "short", tmp_path / "one")


@pytest.mark.slow
def test_shards_that_memory_does_not_suffice_for_are_tried_again_in_smaller_parts(
    train: Callable, train_short_of_memory: Callable, tmp_path: Path
) -> None:
    """Of shards the processes can't take smaller parts together, so that the next attempt begins with them."""
    attempts = [train_short_of_memory(2, "full", SHARDED)]
    while attempts[-1] != [None, None]:
        assert isinstance(attempts[-1][1], TryAgainError)
        assert len(attempts) < 5
        attempts.append(train_short_of_memory(2, "full", SHARDED))
    assert len(attempts) > 1
    train(tmp_path / "one", "full")
    assert_in_parts(tmp_path / "short", tmp_path / "one")


def test_a_row_that_one_process_has_no_memory_for_ends_all_of_them(train_short_of_memory: Callable) -> None:
    ended = train_short_of_memory(0, "lora")
    assert [isinstance(error, TryAgainError) for error in ended] == [True, True]
    assert "Another process had no memory" in str(ended[0])


def test_gradients_are_summed_and_those_that_nobody_has_stay_away(tmp_path: Path) -> None:
    def run(rank: int) -> list[Any]:
        trained = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(3)]
        trained[0].grad = torch.full((2, 2), 1.0 + rank)
        if rank:
            trained[1].grad = torch.full((2, 2), 5.0)
        distributed.sum_gradients(trained)
        return [None if parameter.grad is None else parameter.grad.flatten().tolist() for parameter in trained]

    assert in_ranks(tmp_path, run) == [[[3.0] * 4, [5.0] * 4, None]] * 2
