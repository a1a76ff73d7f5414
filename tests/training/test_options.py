"""Options of training and of dev evaluation that are chosen by a key: precision, patience, sentences, beam size."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtpeft.core.errors import TryAgainError
from mtpeft.core.files import read_record
from mtpeft.core.options import DecodingOptions
from mtpeft.core.provenance import Execution
from mtpeft.decoding.search import translate
from mtpeft.models.computation import warn_of_slow_precision
from mtpeft.models.load import load_base
from mtpeft.training import loop
from mtpeft.training.batches import PreparedAhead
from mtpeft.training.evaluate import evaluate_base, read_dev_set
from mtpeft.training.finetune import finetune
from support.adapter import SPECIAL_TOKENS
from support.model import UPDATES, arrays, batches, cell, inputs, train_cell, train_params
from support.training import at_update, results

RATES = {"full": 0.03, "lora": 0.1}
"""Learning rates with which the last update is better than the base model."""
ADAPTER = "tuned/adapter_model.safetensors"


def trained(sweep: Path, folder: Path, params: dict[str, Any], execution: Execution = Execution()) -> dict[str, Any]:  # noqa: B008
    """Train the same small cell into a folder; returns its record."""
    record = folder / "train.json"
    finetune(params, cell(params["method"]["method"]), inputs=inputs(sweep), record=record, execution=execution)
    return read_record(record)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_training_in_bfloat16_keeps_weights_of_32_bits_and_resumes_to_the_same_bits(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    params = train_params(kind, learning_rate=RATES[kind], precision="bf16")
    train_cell(sweep, tmp_path / "whole", params)
    with at_update(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch), pytest.raises(TryAgainError):
        train_cell(sweep, tmp_path / "stopped", params)
    train_cell(sweep, tmp_path / "stopped", params)
    assert results(tmp_path / "stopped") == results(tmp_path / "whole")
    train_cell(sweep, tmp_path / "plain", train_params(kind, learning_rate=RATES[kind]))
    name = ADAPTER if kind == "lora" else "tuned/model.safetensors"
    whole, plain = (load_file(tmp_path / folder / name) for folder in ("whole", "plain"))
    assert {tensor.dtype for tensor in whole.values()} == {torch.float32}
    assert any(not torch.equal(tensor, plain[key]) for key, tensor in whole.items())
    losses = [read_record(tmp_path / folder / "train.json")["dev_history"][0] for folder in ("whole", "plain")]
    assert losses[0] == losses[1], "the dev set is translated in the precision of 'decoding'"


def test_decoding_in_bfloat16_changes_scores_of_words_and_few_words(sweep: Path) -> None:
    model = load_base(Path(read_record(inputs(sweep).base)["folder"])).eval()
    dev = read_dev_set(arrays(sweep, "dev"), inputs(sweep).dev_text)
    found = [
        translate(model, dev.sources, DecodingOptions(precision=precision), special_tokens=SPECIAL_TOKENS)
        for precision in ("float32", "bf16")
    ]
    assert [len(own) for own in found] == [len(dev.sources)] * 2
    same = sum(one == other for one, other in zip(*found, strict=True))
    assert same > len(dev.sources) / 2
    assert model.get_input_embeddings().weight.dtype == torch.float32


def test_a_precision_without_instructions_is_told_of(capsys: Any) -> None:
    cpu = torch.device("cpu")
    warn_of_slow_precision("training.precision", "tf32", cpu)
    assert "'training.precision' is 'tf32', for which this machine's cpu has no instructions" in capsys.readouterr().err
    warn_of_slow_precision("training.precision", "float32", cpu)
    assert capsys.readouterr().err == ""


def test_tf32_changes_nothing_where_there_is_none(sweep: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    for precision in ("float32", "tf32"):
        train_cell(sweep, tmp_path / precision, train_params("lora", learning_rate=0.1, precision=precision))
    assert (tmp_path / "tf32" / ADAPTER).read_bytes() == (tmp_path / "float32" / ADAPTER).read_bytes()


def test_gradient_checkpointing_is_an_execution_that_changes_no_bits_here(sweep: Path, tmp_path: Path) -> None:
    params = train_params("lora", learning_rate=0.1)
    assert trained(sweep, tmp_path / "plain", params)["best_step"] > 0
    trained(sweep, tmp_path / "checkpointed", params, Execution(gradient_checkpointing=True))
    assert (tmp_path / "plain" / ADAPTER).read_bytes() == (tmp_path / "checkpointed" / ADAPTER).read_bytes()


@pytest.mark.parametrize("kind", ["lora", "prefix_then_lora"])
def test_patience_stops_any_training_early(sweep: Path, tmp_path: Path, kind: str) -> None:
    params = train_params(kind, learning_rate=1e-12, evaluations=6, patience=2)
    record = trained(sweep, tmp_path, params)
    stages = 2 if kind == "prefix_then_lora" else 1
    assert record["best_step"] == 0
    assert record["updates"] == stages * 2 * (UPDATES // 6)
    assert trained(sweep, tmp_path / "all", params | {"optimisation": params["optimisation"] | {"patience": 7}})[
        "updates"
    ] == (UPDATES)


def test_a_smaller_part_of_the_dev_set_lies_in_a_larger_one(sweep: Path) -> None:
    text, tokens = inputs(sweep).dev_text, arrays(sweep, "dev")
    whole, five, three = (read_dev_set(tokens, text, sentences) for sentences in (None, 5, 3))
    ids = [[pair.id for pair in own.pairs] for own in (whole, five, three)]
    assert [len(own) for own in ids[1:]] == [5, 3]
    assert set(ids[2]) < set(ids[1]) < set(ids[0])
    assert ids[1] == [label for label in ids[0] if label in set(ids[1])]
    for own in (five, three):
        for pair, source in zip(own.pairs, own.sources, strict=True):
            assert torch.equal(source, whole.sources[ids[0].index(pair.id)])
    assert len(read_dev_set(tokens, text, 10**6).pairs) == len(whole.pairs)


def test_dev_scores_are_those_of_the_part_and_the_beam_that_are_asked_for(sweep: Path, tmp_path: Path) -> None:
    scores = {}
    for name, evaluation in {"all": {}, "four": {"sentences": 4}, "beam": {"beam_size": 3}}.items():
        params = train_params("lora", updates=1, evaluations=1) | ({"evaluation": evaluation} if evaluation else {})
        record = trained(sweep, tmp_path / name, params)
        start = tmp_path / name / "start.json"
        given = {key: params[key] for key in ("search", "languages", "threads", "evaluation") if key in params}
        base, files = inputs(sweep).base, inputs(sweep)
        evaluate_base(given, base=base, dev=files.dev, dev_text=files.dev_text, record=start)
        scores[name] = record["dev_history"][0]["score"]
        assert read_record(start)["dev_score"] == scores[name]
    assert len(set(scores.values())) == 3


@pytest.mark.parametrize(
    ("params", "status"),
    [
        (train_params("lora", learning_rate=0.1), "ok"),
        (train_params("full", learning_rate=1e4, evaluations=1), "diverged"),
    ],
    ids=["ok", "diverged"],
)
def test_losses_that_are_read_together_tell_the_same(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], status: str
) -> None:
    one_by_one = trained(sweep, tmp_path / "1", params)
    monkeypatch.setattr(loop, "losses_read_together", lambda model, hook: 3)
    together = trained(sweep, tmp_path / "3", params)
    assert together["status"] == one_by_one["status"] == status
    assert together["updates"] == one_by_one["updates"]
    assert results(tmp_path / "3") == results(tmp_path / "1")


def test_the_record_says_how_much_of_the_batches_was_padding(sweep: Path, tmp_path: Path) -> None:
    of_rows = trained(sweep, tmp_path / "rows", train_params("lora", batch_tokens=1))["padding"]
    of_batches = trained(sweep, tmp_path / "batches", train_params("lora"))["padding"]
    assert of_rows == 0, "each side of a row alone is as long as it is"
    assert 0 < of_batches < 0.5


def test_batches_that_are_made_ahead_are_the_same(sweep: Path) -> None:
    params = train_params("lora")
    plain = batches(params, inputs(sweep), [SPECIAL_TOKENS])
    ahead = PreparedAhead(batches(params, inputs(sweep), [SPECIAL_TOKENS]))
    for update in (0, 1, 2, 2, 9, 10, 3):
        assert all(torch.equal(tensor, ahead(update)[name]) for name, tensor in plain(update).items())
