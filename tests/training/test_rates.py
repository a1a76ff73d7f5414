"""Learning rates that an earlier search has found stand in a table, and hold for the same search alone."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpeft.analysis.rates_table import write_rates
from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config.load import load, merge, validate
from mtpeft.config.methods import search_of
from mtpeft.config.rate_search import search_digest, trial_cells
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.core.files import write_record
from mtpeft.core.records import RateRecord, Trial
from mtpeft.steps.base_models import base_file
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.search_rate import needs_search, rates_file, searches
from mtpeft.steps.split_corpus import split_file
from support.config import DEFAULT
from support.default import tiny_study
from support.steps import other_splits, params_of, rate_search_inputs, train_inputs

ROOT = Path(__file__).parents[2]
CELL = Cell("small", "pt-en", "n4800", "lora", "b10", "1")
LABELS = {name: getattr(CELL, name) for name in RATE_LABELS}
FOUND = 0.005


def configured(table: Path | None, overlay: dict[str, Any] | None = None) -> Configuration:
    return validate(merge(merge(DEFAULT, {"rate_search": {"table": table and str(table)}}), overlay or {}))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The table of one search, made of its record as the workflow makes it."""
    trials = [
        Trial(learning_rate=rate, status="ok", best_step=300, dev_history=[{"step": 300, "score": score}], seconds=9.5)
        for rate, score in ((0.0025, 30.5), (FOUND, 31.25), (0.01, 29.0))
    ]
    record = RateRecord(
        labels=LABELS,
        params=params_of("search_rate", configured(None), *LABELS.values()),
        execution={},
        versions={},
        inputs={},
        trials=trials,
        learning_rate=FOUND,
        at_edge=False,
    )
    write_record(tmp_path / "b10.json", record.model_dump())
    write_rates([tmp_path / "b10.json"], tmp_path / "rates.csv")
    return tmp_path / "rates.csv"


def rate_of(configuration: Configuration, cell: Cell) -> Any:
    return params_of("train", configuration, cell)["optimisation"]["learning_rate"]


@pytest.mark.parametrize("labels", [{}, {"pair": "tr-en"}, {"seed": "7"}], ids=str)
@pytest.mark.parametrize(
    "overlay",
    [
        {},
        {"margin": 2.0},
        {"budgets": {"b2": 0.02}},
        {"methods": {"adapter": {"learning_rate": 0.1}}},
        {"methods": {"lora": {"learning_rate": {"search": [0.01, 0.0025, 0.005]}}}},
        {"sizes": {"n400": {"updates": 9}}},
    ],
    ids=str,
)
def test_the_same_search_is_not_made_again(table: Path, overlay: dict[str, Any], labels: dict[str, str]) -> None:
    cell, configuration = Cell(**{**vars(CELL), **labels}), configured(table, overlay)

    assert rate_of(configuration, cell) == FOUND
    assert not needs_search(configuration, cell)
    assert "rate" not in train_inputs(configuration, vars(cell))


@pytest.mark.parametrize(
    "overlay",
    [
        {"methods": {"lora": {"learning_rate": {"search": [0.0025, 0.005, 0.02]}}}},
        {"methods": {"lora": {"scaling": 1.0}}},
        {"rate_search": {"seed": 3}},
        {"rate_search": {"extensions": 0}},
        {"rate_search": {"pair": "de-en"}},
        {"training": {"warmup": 0.3}},
        {"sizes": {"n4800": {"pairs": 6000}}},
        {"sizes": {"n4800": {"updates": 9}}},
        {"budgets": {"b10": 0.09}},
        {"models": {"small": {"threads": 2}}},
        {"models": {"small": {"path": "workflow/models/large"}}},
    ],
    ids=str,
)
def test_another_search_is_made(table: Path, overlay: dict[str, Any]) -> None:
    configuration = configured(table, overlay)

    assert needs_search(configuration, CELL)
    assert set(rate_of(configuration, CELL)) == {"search"}
    assert rate_of(configuration, CELL) != rate_of(configured(None), CELL)
    assert train_inputs(configuration, vars(CELL))["rate"] == [rates_file(configuration, CELL)]


@pytest.mark.parametrize("labels", [{"model": "large"}, {"size": "n400"}, {"method": "adapter"}, {"budget": "b1"}])
def test_a_rate_holds_for_its_class_alone(table: Path, labels: dict[str, str]) -> None:
    assert needs_search(configured(table), Cell(**{**vars(CELL), **labels}))


def test_a_table_without_the_search_changes_nothing(tmp_path: Path) -> None:
    write_rates([], tmp_path / "rates.csv")

    assert rate_of(configured(tmp_path / "rates.csv"), CELL) == rate_of(configured(None), CELL)


def test_a_written_rate_is_searched_for_by_nobody(table: Path) -> None:
    configuration = configured(table, {"methods": {"lora": {"learning_rate": {"search": None, "default": 0.02}}}})

    assert rate_of(configuration, CELL) == 0.02
    assert not needs_search(configuration, CELL)
    assert not [file for file in searches(configuration) if "/lora/" in file]


SEVERAL = {"rate_search": {"pair": ["es-en", "de-en"], "seed": [0, 9]}}


@pytest.mark.parametrize(
    "written",
    [
        {"pair": ["es-en"]},
        {"seed": [0]},
        {"seed": None},
        {"pair": ["es-en"], "seed": [0]},
    ],
    ids=str,
)
def test_one_pair_and_one_seed_are_the_same_search_however_they_are_written(
    table: Path, written: dict[str, Any]
) -> None:
    assert rate_of(configured(table, {"rate_search": written}), CELL) == FOUND


def test_a_search_on_several_pairs_and_seeds_reads_the_text_of_each_trial_in_their_order() -> None:
    configuration = configured(None, SEVERAL)
    params = params_of("search_rate", configuration, *LABELS.values())
    inputs = rate_search_inputs(configuration, LABELS)

    assert list(params["trials"]) == ["es-en/0", "es-en/9", "de-en/0", "de-en/9"]
    assert [trial["languages"]["source"] for trial in params["trials"].values()] == ["es", "es", "de", "de"]
    assert [trial["seed"] for trial in params["trials"].values()] == [0, 9, 0, 9]
    assert inputs.pop("base") == [base_file(configuration, "small")]
    assert {name: len(files) for name, files in inputs.items()} == dict.fromkeys(inputs, 4)
    trials = trial_cells(configuration, CELL)
    assert inputs["subset"] == [subset_file(configuration, trial, trial.pair) for trial in trials]
    assert needs_search(configuration, CELL)


def test_pairs_that_rates_are_searched_on_are_screened_as_all_others() -> None:
    overlay = {
        "corpora": {"mine": {"files": {"sw": __file__, "en": str(Path(__file__).with_name("test_rate_search.py"))}}},
        "pairs": {"sw-en": {"corpus": "mine"}},
        "rate_search": {"pair": ["es-en", "sw-en"]},
    }
    configuration = configured(None, overlay)
    assert other_splits(configuration, {"pair": "es-en"}) == [split_file(configuration, "mine")]


@pytest.mark.parametrize("study", [load, tiny_study])
def test_no_rate_of_the_default_study_is_left_to_search_for(study: Callable[[], Configuration]) -> None:
    configuration = study()
    left = {cell.path for cell in placed_cells(configuration) if needs_search(configuration, cell)}
    assert not left


def test_the_table_has_no_search_that_no_study_of_the_project_uses() -> None:
    # The others are of the same cells, or of the user's own files.
    ready = ("tiny", "full", "methods", "further-methods", "exposure")
    overlays = [[], *([ROOT / f"workflow/studies/{name}.yaml"] for name in ready)]
    used = {
        (*labels, search_digest(params_of("search_rate", configuration, *labels)))
        for configuration in map(load, overlays)
        for labels in rate_classes(configuration)
    }
    with (ROOT / "workflow/rates.csv").open(encoding="utf-8") as file:
        known = {(*(row[name] for name in RATE_LABELS), row["search"]) for row in csv.DictReader(file)}
    assert known <= used


def test_every_class_is_searched_for_once_whatever_the_pair_and_the_seed() -> None:
    configuration = configured(None)
    files = searches(configuration)
    cells = [cell for cell in placed_cells(configuration) if search_of(configuration, cell.method)]

    assert sorted(files) == sorted({rates_file(configuration, cell) for cell in cells})
    assert len(files) < len(cells)
    (file,) = [file for file in files if file.startswith("results/rates/small/n4800/full/")]
    assert re.fullmatch(r"all-[0-9a-f]{8}\.json", Path(file).name)
