"""The search for learning rates: which rates are tried, what is kept, and that no test set is read."""

import copy
import csv
import errno
import math
import os
import signal
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from mtpeft.analysis.rates_table import write_rates
from mtpeft.cells import RATE_LABELS
from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import read_record, sha256_of, write_record
from mtpeft.core.records import Trial
from mtpeft.steps.command import files_of as arguments_of
from mtpeft.steps.step import STEPS
from mtpeft.training.finetune import finetune
from mtpeft.training.rate_search import best_rate, means, next_rate, search_rate
from support.model import cell, files_of, inputs, train_cell, train_params
from support.record import schema_mistakes
from support.training import at_update

LABELS = dict(zip(RATE_LABELS, ("tiny", "n44", "lora", "b5"), strict=True))
CANDIDATES = [0.01, 0.02, 0.04]
BAD = -math.inf


@pytest.mark.parametrize(
    ("scores", "extensions", "wanted"),
    [
        ({}, 3, 0.01),
        ({0.01: 20.0}, 3, 0.02),
        ({0.01: 20.0, 0.02: 21.0, 0.04: 19.0}, 3, None),
        ({0.01: 20.0, 0.02: 21.0, 0.04: 22.0}, 3, 0.08),
        ({0.01: 20.0, 0.02: 21.0, 0.04: 22.0}, 0, None),
        ({0.01: 20.0, 0.02: 21.0, 0.04: 22.0, 0.08: 23.0}, 1, None),
        ({0.01: 20.0, 0.02: 21.0, 0.04: 22.0, 0.08: 21.9}, 3, None),
        ({0.01: 23.0, 0.02: 21.0, 0.04: 22.0}, 3, 0.005),
        ({0.01: 20.0, 0.02: BAD, 0.04: BAD}, 3, 0.005),
        ({0.01: BAD, 0.02: BAD, 0.04: BAD}, 3, 0.005),
    ],
)
def test_rates_are_tried_until_the_best_has_a_worse_one_on_either_side(
    scores: dict[float, float], extensions: int, wanted: float | None
) -> None:
    assert next_rate(scores, CANDIDATES, extensions) == wanted


def test_the_lower_of_two_equal_rates_is_chosen() -> None:
    assert best_rate({0.04: 20.0, 0.01: 19.0, 0.02: 20.0}) == 0.02


def search_params(**changes: Any) -> dict[str, Any]:
    """Params of a search on the tiny base model."""
    trial = train_params("lora")
    trial["optimisation"].pop("learning_rate")
    return {
        "step_version": 1,
        "candidates": CANDIDATES,
        "extensions": 1,
        "pair": "es-en",
        "training_pairs": 44,
        "model": {"path": "tiny"},
        "trial": trial,
    } | changes


@pytest.fixture(scope="module")
def searched(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a search."""
    record = tmp_path_factory.mktemp("rates") / "b5.json"
    search_rate(search_params(), labels=LABELS, inputs=[inputs(sweep)], record=record)
    return record


def test_a_search_keeps_all_dev_curves_and_chooses_by_them(searched: Path) -> None:
    record = read_record(searched)
    assert schema_mistakes(record, "rate") == []
    tried = {trial["learning_rate"]: trial for trial in record["trials"]}
    assert set(CANDIDATES) <= set(tried) and len(tried) <= 4
    reached = {rate: max(entry["score"] for entry in trial["dev_history"][1:]) for rate, trial in tried.items()}
    assert reached[record["learning_rate"]] == max(reached.values())
    assert len({trial["dev_history"][0]["score"] for trial in tried.values()}) == 1
    assert [file.name for file in searched.parent.iterdir()] == [searched.name]


def test_an_interrupted_search_goes_on_with_the_trials_that_it_has(
    sweep: Path, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtpeft.training import rate_search as module

    finished: list[float] = []
    real = module.run_training

    def counted(prepared: Any, **given: Any) -> Any:
        finished.append(prepared.learning_rate)
        trained = real(prepared, **given)
        if finished == CANDIDATES[:2]:
            raise KeyboardInterrupt
        return trained

    record = tmp_path / "b5.json"
    monkeypatch.setattr(module, "run_training", counted)
    with pytest.raises(KeyboardInterrupt):
        search_rate(search_params(), labels=LABELS, inputs=[inputs(sweep)], record=record)
    search_rate(search_params(), labels=LABELS, inputs=[inputs(sweep)], record=record)
    assert finished.count(CANDIDATES[0]) == 1
    again, before = read_record(record), read_record(searched)
    for trial in (*again["trials"], *before["trials"]):
        del trial["seconds"], trial["processor_seconds"]
    assert again["trials"] == before["trials"]


def test_a_search_that_is_told_to_stop_tries_again(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "b5.json"
    with (
        at_update(5, lambda: os.kill(os.getpid(), signal.SIGTERM), monkeypatch),
        pytest.raises(TryAgainError, match="the state is saved"),
    ):
        search_rate(search_params(), labels=LABELS, inputs=[inputs(sweep)], record=record)
    assert not record.exists()
    assert list(tmp_path.glob(".b5/0.01/state.safetensors"))


def test_a_search_is_finished_where_its_state_can_not_be_removed(
    sweep: Path, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, where a file that is open leaves another one behind."""

    def not_empty(*given: Any, **named: Any) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    record = tmp_path / "b5.json"
    monkeypatch.setattr(os, "rmdir", not_empty)
    search_rate(search_params(), labels=LABELS, inputs=[inputs(sweep)], record=record)
    assert read_record(record)["learning_rate"] == read_record(searched)["learning_rate"]


@pytest.fixture(scope="module")
def searched_twice(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a search with two seeds."""
    params = search_params()
    trial = params.pop("trial")
    del params["pair"]
    params |= {"extensions": 0, "trials": {f"es-en/{seed}": trial | {"seed": seed} for seed in (1, 2)}}
    record = tmp_path_factory.mktemp("twice") / "b5.json"
    search_rate(params, labels=LABELS, inputs=[inputs(sweep)] * 2, record=record)
    return record


def test_several_trials_of_a_rate_are_compared_by_their_mean(searched_twice: Path) -> None:
    record = read_record(searched_twice)
    assert schema_mistakes(record, "rate") == []
    assert [(trial["learning_rate"], trial["pair"], trial["seed"]) for trial in record["trials"]] == [
        (rate, "es-en", seed) for rate in CANDIDATES for seed in (1, 2)
    ]
    reached = {
        rate: [
            max(entry["score"] for entry in trial["dev_history"][1:])
            for trial in record["trials"]
            if trial["learning_rate"] == rate
        ]
        for rate in CANDIDATES
    }
    assert [score["learning_rate"] for score in record["scores"]] == CANDIDATES
    assert [score["mean"] for score in record["scores"]] == pytest.approx([fmean(own) for own in reached.values()])
    assert [score["spread"] for score in record["scores"]] == pytest.approx([stdev(own) for own in reached.values()])
    assert record["learning_rate"] == max(CANDIDATES, key=lambda rate: fmean(reached[rate]))
    assert {f"es-en/{seed}/subset_sha256" for seed in (1, 2)} <= set(record["inputs"])


def test_a_trial_with_one_seed_is_that_of_a_search_with_this_seed_alone(searched: Path, searched_twice: Path) -> None:
    """The dev curve follows from the seed, whatever else is tried."""
    alone, together = (
        {t["learning_rate"]: t["dev_history"] for t in read_record(record)["trials"] if t["seed"] == 1}
        for record in (searched, searched_twice)
    )
    assert {rate: alone[rate] for rate in CANDIDATES} == together


def test_a_rate_that_diverges_once_is_not_chosen() -> None:
    fine, bad = (
        Trial(learning_rate=rate, status=status, best_step=0, dev_history=[{"step": 4, "score": 30.0}], seconds=1.0)
        for rate, status in ((0.01, "ok"), (0.02, "diverged"))
    )
    better = fine.model_copy(update={"dev_history": [{"step": 4, "score": 90.0}]})
    assert means({0.01: [fine, fine], 0.02: [better, bad]}) == {0.01: 30.0, 0.02: -math.inf}


def test_the_table_has_the_mean_and_the_spread_of_several_trials(
    searched: Path, searched_twice: Path, tmp_path: Path
) -> None:
    write_rates([searched_twice], tmp_path / "rates.csv")
    with (tmp_path / "rates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["pair"], row["seed"]) for row in rows] == [("es-en", "1"), ("es-en", "2")] * len(CANDIDATES)
    scores = {f"{score['learning_rate']}": score for score in read_record(searched_twice)["scores"]}
    for row in rows:
        assert row["mean_score"] == f"{scores[row['learning_rate']]['mean']:.2f}"
        assert row["spread"] == f"{scores[row['learning_rate']]['spread']:.2f}"
    write_rates([searched], tmp_path / "rates.csv")
    with (tmp_path / "rates.csv").open(encoding="utf-8", newline="") as file:
        assert {row["spread"] for row in csv.DictReader(file)} == {""}


def test_the_table_has_a_row_per_trial_and_one_chosen_per_class(searched: Path, tmp_path: Path) -> None:
    table = tmp_path / "rates.csv"
    write_rates([searched], table)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(read_record(searched)["trials"])
    assert [float(row["learning_rate"]) for row in rows if row["chosen"]] == [read_record(searched)["learning_rate"]]
    assert all(row["dev_curve"].startswith("0:") for row in rows)


def test_no_test_set_can_be_given_to_a_search() -> None:
    assert not {name for name in arguments_of(STEPS["search_rate"]) if "test" in name}


@pytest.fixture(scope="module")
def params_with_search() -> dict[str, Any]:
    """Params of a training whose learning rate a search finds."""
    return train_params("lora", learning_rate={"search": "0123abcd"})


def test_a_found_rate_is_an_input_of_the_training_and_leaves_its_params_alone(
    sweep: Path, tmp_path: Path, params_with_search: dict[str, Any]
) -> None:
    found = tmp_path / "rate.json"
    write_record(found, {"learning_rate": 0.02})
    record = tmp_path / "searched" / "train.json"
    told = copy.deepcopy(params_with_search)
    finetune(told, cell("lora"), inputs=inputs(sweep), record=record, rate=found)
    made = read_record(record)
    assert told == params_with_search == made["params"]
    assert (made["learning_rate"], made["inputs"]["rate_sha256"]) == (0.02, sha256_of(found))

    written = train_cell(sweep, tmp_path / "written", train_params("lora", learning_rate=0.02))
    assert files_of(record.parent / "tuned") == files_of(written.parent / "tuned")
    assert "rate_sha256" not in read_record(written)["inputs"]


def test_a_state_of_another_search_is_discarded(
    sweep: Path, tmp_path: Path, params_with_search: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Its rate is another, or was found in another way."""
    rates, record = [tmp_path / "one.json", tmp_path / "other.json"], tmp_path / "cell" / "train.json"
    for rate, seconds in zip(rates, (1.0, 2.0), strict=True):
        write_record(rate, {"learning_rate": 0.02, "seconds": seconds})
    given: dict[str, Any] = {"inputs": inputs(sweep), "record": record}
    with (
        at_update(5, lambda: os.kill(os.getpid(), signal.SIGTERM), monkeypatch),
        pytest.raises(TryAgainError, match="the state is saved"),
    ):
        finetune(params_with_search, cell("lora"), rate=rates[0], **given)
    finetune(params_with_search, cell("lora"), rate=rates[1], **given)
    assert "belongs to other params or inputs" in capsys.readouterr().out
    assert read_record(record)["starts"] == 1


def test_a_search_without_its_record_is_refused(
    sweep: Path, tmp_path: Path, params_with_search: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"name a search for the learning rate; give its record with '--rate'"):
        finetune(params_with_search, cell("lora"), inputs=inputs(sweep), record=tmp_path / "cell" / "train.json")
