"""Cells over several pairs: labels, files and params; which text a batch has, and what is told of it."""

import signal
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mtpeft.cells import Cell, OnPair
from mtpeft.config.load import merge, validate
from mtpeft.core.errors import TryAgainError, UserError
from mtpeft.core.files import read_record
from mtpeft.core.options import DecodingOptions
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED, read_arrays
from mtpeft.decoding.translator import load_cell
from mtpeft.methods.task_ids import set_task_ids, task_id_of, task_modules
from mtpeft.models.load import load_base
from mtpeft.models.tokenizer import open_tokenizer, special_tokens_of
from mtpeft.steps.base_models import base_file
from mtpeft.steps.cells_of_studies import cell_files, placed_cells
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.evaluate_base import start_file
from mtpeft.steps.search_rate import training_files
from mtpeft.training.batches import BatchOrder, TemperatureSampling
from mtpeft.training.contrastive import objective
from mtpeft.training.evaluate import dev_chrf, mean_over_pairs, read_dev_set
from mtpeft.training.finetune import CellInputs, finetune, plan_of, prepare_training, stage_models
from mtpeft.training.loop import TrainingRun, TrainingTask, _update
from mtpeft.training.params import CellParams
from support.config import DEFAULT
from support.family import family_params
from support.group import GROUP, SIDES, group_inputs, group_params, together
from support.model import batches
from support.steps import params_of
from support.training import at_update, results

ADAPTER = Cell("small", "de-en+pt-en", "n100", "adapter", "b10", "1")


def configured(**changes: Any) -> Any:
    """A study of a pair and of a group that holds it."""
    methods = {"methods": ["full", "adapter", "none", "retrieval"], "budgets": ["b10"]}
    return validate(merge(DEFAULT, merge(together("pt-en", "de-en+pt-en", **methods), changes)))


# ---------------------------------------------------------------- labels, files, params


def test_a_group_is_one_cell_and_reference_rows_that_train_nothing_are_those_of_its_pairs() -> None:
    cells = [(cell.pair, cell.method) for cell in placed_cells(configured())]
    trained = [(pair, method) for method in ("full", "adapter") for pair in ("pt-en", "de-en+pt-en")]
    assert cells == [*trained, *((pair, method) for method in ("none", "retrieval") for pair in ("pt-en", "de-en"))]


def test_a_group_is_scored_on_each_of_its_pairs() -> None:
    assert ADAPTER.measured == (OnPair(ADAPTER, "de-en"), OnPair(ADAPTER, "pt-en"))
    folder = f"results/cells/{ADAPTER.path}/others"
    assert cell_files([ADAPTER], "score.json") == [f"{folder}/de-en/score.json", f"{folder}/pt-en/score.json"]


def test_a_group_is_trained_from_the_files_of_all_its_pairs() -> None:
    configuration, pairs = configured(), ("de-en", "pt-en")
    files = training_files(configuration, ADAPTER)
    assert files.pop("base") == [base_file(configuration, "small")]
    assert files["subset"] == [subset_file(configuration, ADAPTER, pair) for pair in pairs]
    assert files["start"] == [start_file(configuration, "small", pair) for pair in pairs]
    assert {name: len(own) for name, own in files.items()} == dict.fromkeys(
        ("subset", "train", "dev", "dev-text", "start"), 2
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pair": "pt-en+de-en"}, "a group has each pair once, sorted: write 'de-en\\+pt-en'"),
        ({"method": "none", "size": "any", "budget": "any", "seed": "any"}, "name one of each pair, such as 'de-en'"),
    ],
)
def test_a_cell_that_would_be_another_one_under_a_second_name_is_refused(
    changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        training_files(configured(), Cell(**{**vars(ADAPTER), **changes}))


def test_only_groups_have_a_temperature_in_their_params() -> None:
    one, two = (configured(training={"temperature": temperature}) for temperature in (1.0, 5.0))
    for cell in placed_cells(one):
        same = params_of("train", one, cell) == params_of("train", two, cell)
        assert same is not cell.is_group
        assert ("members" in params_of("train", one, cell)) is cell.is_group
    told = params_of("train", two, ADAPTER)
    assert told["members"] == {f"{code}-en": {"source": code, "target": "en"} for code in ("de", "pt")}
    assert (told["pairs_each"], told["optimisation"]["temperature"]) == (100, 5.0)
    assert params_of("decode", one, Cell(**{**vars(ADAPTER), "pair": "de-en"}))["languages"] == told["members"]["de-en"]


def test_a_method_with_parameters_for_each_language_has_the_languages_in_its_params() -> None:
    methods = {
        "contexts": {"method": "context_lora", "learning_rate": 0.001},
        "link": {"method": "adalink", "learning_rate": 0.001},
        "links": {"method": "adalink", "learning_rate": 0.001, "by_language": True},
    }
    configuration = configured(methods=methods)
    cell = Cell(**{**vars(ADAPTER), "method": "contexts"})
    told = params_of("train", configuration, cell)["method"]
    assert told["languages"] == {"source": ["de", "pt"], "target": ["en", "en"]}
    assert "languages" not in params_of("train", configuration, Cell(**{**vars(cell), "pair": "pt-en"}))["method"]
    assert "languages" not in params_of("train", configuration, ADAPTER)["method"]
    link, links = (
        params_of("train", configuration, Cell(**{**vars(ADAPTER), "method": own})) for own in ("link", "links")
    )
    assert "languages" not in link["method"] and links["method"]["languages"] == told["languages"]


# ---------------------------------------------------------------- sampling


@pytest.mark.parametrize(
    ("counts", "temperature", "drawn"),
    [
        ([900, 100], 1.0, [900, 100]),
        ([900, 100], 2.0, [750, 250]),
        ([900, 100], 1e9, [500, 500]),
        ([81, 16, 1], 4.0, [49, 33, 16]),
        ([7, 7, 7], 3.0, [7, 7, 7]),
    ],
)
def test_shares_follow_the_temperature(counts: list[int], temperature: float, drawn: list[int]) -> None:
    mixture = TemperatureSampling(counts, temperature, seed=1)
    assert mixture.drawn() == drawn
    first = np.cumsum([0, *counts])
    for epoch in (0, 3):
        found = np.searchsorted(first, mixture.rows(epoch), side="right") - 1
        assert [int(np.sum(found == member)) for member in range(len(counts))] == drawn


def test_every_row_of_a_member_is_seen_as_often_as_any_other_give_or_take_one() -> None:
    mixture = TemperatureSampling([30, 7], 3.0, seed=1)
    seen = Counter(row for epoch in range(9) for row in mixture.rows(epoch).tolist())
    for rows in (range(30), range(30, 37)):
        times = [seen[row] for row in rows]
        assert max(times) - min(times) <= 1


def test_batches_of_a_group_are_functions_of_seed_and_update() -> None:
    lengths = np.random.default_rng(3).integers(3, 30, size=74)
    mixtures = {seed: TemperatureSampling([60, 14], 5.0, seed=seed) for seed in (1, 2)}

    def batches(order: BatchOrder, updates: tuple[int, ...]) -> list[list[int]]:
        return [order.rows(update).tolist() for update in updates]

    wanted = (0, 7, 33)
    found = batches(BatchOrder(lengths, 64, 1, mixtures[1]), wanted)
    assert batches(BatchOrder(lengths, 64, 1, mixtures[1]), wanted[::-1]) == found[::-1]
    assert batches(BatchOrder(lengths, 64, 2, mixtures[2]), wanted) != found


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("losses", [[], ["unlikelihood", "length_normalised"]])
def test_each_pair_trains_only_the_parameters_of_its_own_languages(
    sweep: Path, tmp_path: Path, losses: list[str]
) -> None:
    languages = {side: [sides[side] for sides in SIDES.values()] for side in ("source", "target")}
    params = group_params(family_params("full")) | {"method": {"method": "context_ia3", "languages": languages}}
    job = prepare_training(params, group_inputs("mbart50", sweep, tmp_path))
    model = next(stage_models(job))
    specials = [
        special_tokens_of(open_tokenizer(job.folder, own, vocabulary="x"), model.config) for own in SIDES.values()
    ]
    batch = batches(params, job.inputs, specials)
    assert set(batch(0)["task_ids"].tolist()) == {0, 1}
    factors = update_once(model, batch, params, losses)
    assert {len(factor) for factor in factors} == {2}
    assert all(bool(factor.grad.any(dim=1).all()) for factor in factors)


def update_once(model: nn.Module, batch: Any, params: dict[str, Any], losses: list[str]) -> list[nn.Parameter]:
    """Make one update; returns what was trained, with its gradients."""
    minimised = objective(losses)
    told = {"task_modules": task_modules(model), "objective": lambda update: minimised}
    task = TrainingTask(model=model, batch=batch, evaluate=lambda poll: 0.0, identity="", **told)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD([{"params": weights, "factor": 1.0}], lr=0.1)
    _update(task, plan_of(CellParams.of(params), 1.0, stage=0), optimizer, TrainingRun(), number=0)
    return weights


@pytest.mark.parametrize("name", ["mbart50", "mbart25", "m2m100", "t5", "llama", "qwen2"])
def test_each_row_of_a_mixed_batch_equals_a_row_of_its_own_pair(sweep: Path, tmp_path: Path, name: str) -> None:
    given = group_inputs(name, sweep, tmp_path)
    params = group_params(family_params("lora"), temperature=2.0)
    job = prepare_training(params, given)
    model = next(stage_models(job))
    tokenizers = [open_tokenizer(job.folder, sides, vocabulary=name) for sides in SIDES.values()]
    specials = [special_tokens_of(tokenizer, model.config) for tokenizer in tokenizers]
    texts = [read_arrays(own.train) for own in given.pairs]
    batch = batches(params, given, specials)

    members = set()
    for update in range(12):
        inputs = batch(update)
        members |= set(inputs["task_ids"].tolist())
        for row, member in enumerate(inputs["task_ids"].tolist()):
            labels = inputs["labels"][row]
            words = labels[labels != IGNORED]
            (place,) = [
                index for index in range(len(texts[member].target)) if texts[member].target[index].equal(words.int())
            ]
            source, target = texts[member].source[place], texts[member].target[place]
            alone = model_inputs([source], [target], special_tokens=specials[member])
            for key in alone.keys() - {"labels"}:
                width = alone[key].shape[1]
                assert inputs[key][row, :width].equal(alone[key][0]), key
    assert members == {0, 1}
    starts = {special_tokens.begin[:1] for special_tokens in specials}
    assert len(starts) == (2 if name == "mbart25" else 1)


class Listening(nn.Module):
    """A module that wants to know of which pair its rows are."""

    takes_task_ids = True
    task_ids: Any = 0


def test_updates_and_dev_scores_get_the_task_id_of_every_row(sweep: Path, tmp_path: Path) -> None:
    given = group_inputs("mbart50", sweep, tmp_path)
    params = group_params(family_params("full"))
    job = prepare_training(params, given)
    model = next(stage_models(job))
    model.ear, model.deaf = Listening(), nn.Identity()
    specials = [
        special_tokens_of(open_tokenizer(job.folder, own, vocabulary="x"), model.config) for own in SIDES.values()
    ]
    batch = batches(params, given, specials)
    heard: list[Any] = []
    update_once(model, batch, params, [])
    assert model.ear.task_ids.equal(batch(0)["task_ids"])
    assert not hasattr(model.deaf, "task_ids")

    scores = iter([10.0, 40.0])

    def score(poll: object) -> float:
        heard.append(model.ear.task_ids)
        return next(scores)

    assert mean_over_pairs(model, [score, score])(lambda: None) == 25.0
    assert heard == [0, 1]


def test_the_task_id_of_a_pair_is_its_index_in_the_group() -> None:
    trained = {"members": SIDES}
    assert [task_id_of(trained, pair) for pair in ("en-es", "es-en", "de-en")] == [0, 1, None]
    assert task_id_of({"languages": SIDES["es-en"]}, "any other") == 0
    model = nn.Sequential(Listening(), nn.Sequential(Listening()))
    set_task_ids(model, 1)
    assert (model[0].task_ids, model[1][0].task_ids) == (1, 1)


# ---------------------------------------------------------------- a cell from end to end


def test_a_group_is_trained_resumed_and_opened(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = group_inputs("mbart25", sweep, tmp_path / "text")
    params = group_params(family_params("lora"), temperature=5.0)
    label = Cell("mbart25", GROUP, "n44", "lora", "b3", "1")

    def train(folder: Path) -> dict[str, Any]:
        finetune(params, label, inputs=given, record=folder / "train.json")
        return results(folder)

    whole, stopped = train(tmp_path / "whole"), tmp_path / "stopped"
    with (
        at_update(2, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch),
        pytest.raises(TryAgainError, match="stopped at update 3"),
    ):
        train(stopped)
    assert train(stopped) == whole

    record = read_record(tmp_path / "whole/train.json")
    assert record["training_pairs"] == 44 + 22
    assert {"train_en-es_sha256", "train_es-en_sha256"} <= set(record["inputs"])
    assert record["dev_history"][0]["score"] == fmean(untouched_scores(given))
    with pytest.raises(UserError, match="translates several pairs; say which: 'en-es' or 'es-en'"):
        load_cell(tmp_path / "whole")
    with pytest.raises(UserError, match="was not trained on 'de-en'; write 'en-es' or 'es-en'"):
        load_cell(tmp_path / "whole", "de-en")
    opened = {pair: load_cell(tmp_path / "whole", pair).tokenizer.target for pair in SIDES}
    assert opened == {"en-es": "es_XX", "es-en": "en_XX"}


def untouched_scores(given: CellInputs) -> list[float]:
    """Dev score of the base model of a group on each of its pairs."""
    folder = Path(read_record(given.base)["folder"])
    model, scores = load_base(folder).eval(), []
    for own, sides in zip(given.pairs, SIDES.values(), strict=True):
        tokenizer = open_tokenizer(folder, sides, vocabulary="tiny")
        told = {
            "dev": read_dev_set(own.dev, own.dev_text),
            "tokenizer": tokenizer,
            "special_tokens": special_tokens_of(tokenizer, model.config),
        }
        scores.append(dev_chrf(model, DecodingOptions(**family_params("lora")["search"]), **told)(lambda: None))
    return scores
