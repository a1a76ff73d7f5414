"""Cells: their labels, the studies that ask for them, and what each of their jobs is told."""

import json
import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from mtpeft.cells import CELL_TEMPLATE, DIMENSIONS, Cell
from mtpeft.config import settings
from mtpeft.config.load import DEFAULT_FILE, merge, read_yaml, validate
from mtpeft.config.paths import constraints, other_splits
from mtpeft.config.resolve import vocabulary_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, study_cells
from mtpeft.errors import UserError
from mtpeft.records import canonical
from mtpeft.results.blocks import fold, unfold

QUESTION = {
    "models": ["small"],
    "pairs": ["es-en"],
    "sizes": ["n4000"],
    "methods": ["full", "adapter", "none", "scratch", "retrieval"],
    "budgets": ["b1", "b5", "b20"],
    "seeds": [1, 2],
}
ADAPTER = Cell("small", "es-en", "n4000", "adapter", "b1", "2")


def configured(overlay: Mapping[str, Any] | None = None) -> Configuration:
    return validate(merge(read_yaml(DEFAULT_FILE), overlay or {}))


@pytest.mark.parametrize(
    "path",
    [
        "small/es-en/n4000/adapter/b1/2",
        "/small/es-en/n4000/adapter/b1/2/",
        "results/cells/small/es-en/n4000/adapter/b1/2",
        "/home/me/run/results/cells/small/es-en/n4000/adapter/b1/2/tuned/adapter_model.safetensors",
    ],
)
def test_a_cell_is_known_by_its_labels_and_by_any_of_its_files(path: str) -> None:
    assert Cell.parse(path) == ADAPTER


def test_labels_survive_the_way_through_a_path() -> None:
    for cell in all_cells(configured()):
        assert Cell.parse(cell.path) == cell
        assert Cell.parse(str(cell.folder / "train.json")) == cell
        assert CELL_TEMPLATE.format(**vars(cell)) == str(cell.folder)


@pytest.mark.parametrize("path", ["", "small", "small/es-en/n4000/adapter/b1", "../../../../etc/x/y", "a/b/c/d/e/-f"])
def test_a_path_without_six_safe_labels_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="names no cell; write its six labels as model/pair/size/method/budget/seed"):
        Cell.parse(path)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("adapter", {("small", "es-en", "n4000", budget, seed) for budget, seed in product(("b1", "b5", "b20"), "12")}),
        ("full", {("small", "es-en", "n4000", "all", "1"), ("small", "es-en", "n4000", "all", "2")}),
        ("scratch", {("small", "es-en", "n4000", "all", "1"), ("small", "es-en", "n4000", "all", "2")}),
        ("none", {("small", "es-en", "any", "any", "any")}),
        ("retrieval", {("any", "es-en", "n4000", "any", "any")}),
    ],
)
def test_a_study_becomes_cells_and_its_reference_rows_are_made_once(
    method: str, expected: set[tuple[str, ...]]
) -> None:
    configuration = configured({"studies": {"budgets": QUESTION}})
    cells = study_cells(configuration, configuration.studies["budgets"])
    found = [(cell.model, cell.pair, cell.size, cell.budget, cell.seed) for cell in cells if cell.method == method]

    assert set(found) == expected
    assert len(found) == len(expected)


def test_studies_share_their_cells() -> None:
    wider = {**QUESTION, "figure": "budgets", "sizes": ["n250", "n4000"], "seeds": [1]}
    configuration = configured({"studies": {"budgets": QUESTION, "wider": wider}})
    configuration = configuration.model_copy(
        update={"studies": {label: configuration.studies[label] for label in ("budgets", "wider")}}
    )
    first, second = (study_cells(configuration, study) for study in configuration.studies.values())

    assert (len(first), len(second)) == (12, 13)
    assert all_cells(configuration) == [*first, *(cell for cell in second if cell not in first)]
    assert {cell.method for cell in set(first) & set(second)} == {"full", "adapter", "none", "scratch", "retrieval"}


def some_cells(step: int) -> list[Cell]:
    labels = product(("a", "b"), ("x-y", "y-x"), ("s", "m", "l"), ("full", "lora"), ("b1", "all"), ("1", "10", "2"))
    return [Cell(*row) for index, row in enumerate(labels) if index % step != 1]


@pytest.mark.parametrize(
    "cells",
    [[], [ADAPTER], all_cells(configured()), *(some_cells(step) for step in (1, 2, 3, 5, 7, 11))],
    ids=lambda cells: str(len(cells)),
)
def test_folded_cells_unfold_to_the_same(cells: list[Cell]) -> None:
    blocks = json.loads(json.dumps(fold(cells)))

    assert sorted(unfold(blocks)) == sorted(set(cells))
    assert fold([*reversed(cells), *cells]) == fold(cells)
    assert len(blocks) <= len(cells)


@pytest.mark.parametrize(
    ("name", "known", "unknown"),
    [
        ("model", ["small", "any"], ["smal", "small/x", "all", ""]),
        ("pair", ["es-en"], ["en-es", "any", "es-en-x"]),
        ("size", ["n250", "any"], ["n2500", "250"]),
        ("budget", ["b1", "b20", "all", "any", "native"], ["b2", "0.01"]),
        ("seed", ["1", "12", "any"], ["x", "1a"]),
        ("study", ["data_sizes"], ["efficiency"]),
        ("wheel", ["django"], ["flask"]),
    ],
)
def test_wildcards_match_labels_alone(name: str, known: list[str], unknown: list[str]) -> None:
    pattern = constraints(configured())[name]

    assert all(re.fullmatch(pattern, label) for label in known)
    assert not any(re.fullmatch(pattern, label) for label in unknown)


def test_a_dot_in_a_label_is_a_dot() -> None:
    pattern = constraints(configured({"budgets": {"b0.5": 0.005}}))["budget"]

    assert re.fullmatch(pattern, "b0.5")
    assert not re.fullmatch(pattern, "b0x5")


def told(configuration: Configuration) -> dict[tuple[str, ...], str]:
    """What every job of the workflow is told, but those that put the cells of all studies together."""
    jobs: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(resolve: Callable[..., dict[str, Any]], *labels: Any) -> None:
        jobs[resolve.__name__, *map(str, labels)] = resolve(configuration, *labels)

    for corpus, entry in configuration.corpora.items():
        add(settings.split_settings, corpus)
        for wheel in entry.wheels:
            add(settings.wheel_settings, corpus, wheel)
    for pair in configuration.pairs:
        add(settings.clean_settings, pair)
        add(settings.parts_settings, pair)
    for size in configuration.sizes:
        add(settings.subset_settings, size)
    for model, pair in product(configuration.models, configuration.pairs):
        vocabulary = vocabulary_of(configuration, model)
        add(settings.vocabulary_settings, vocabulary)
        add(settings.pretrain_settings, model)
        add(settings.tokens_settings, vocabulary, pair)
    for cell in all_cells(configuration):
        add(settings.train_settings, cell)
        add(settings.decode_settings, cell)
        add(settings.score_settings, cell)
    for study in configuration.studies:
        add(settings.tables_settings, study)
        add(settings.figure_settings, study)
    return {job: canonical(content) for job, content in jobs.items()}


def changed(overlay: Mapping[str, Any]) -> set[tuple[str, ...]]:
    before, after = told(configured()), told(configured(overlay))
    return {job for job in before if after.get(job) != before[job]}


STUDY = {"figure": "budgets", "models": ["small"], "pairs": ["tr-en"], "sizes": ["n250"], "methods": ["full"]}


@pytest.mark.parametrize(
    "overlay",
    [
        {"pairs": {"pt-en": {"corpus": "interface"}}},
        {"pairs": {"en-es": {"corpus": "interface"}}},
        {"budgets": {"b2": 0.02}},
        {"sizes": {"n9000": {"pairs": 9000, "updates": 900}}},
        {"models": {"other": {"pretrain": {**read_yaml(DEFAULT_FILE)["models"]["small"]["pretrain"], "layers": 1}}}},
        {"corpora": {"other": {"wheels": {}, "files": {"sw": __file__, "en": __file__}}}},
        {"corpora": {"interface": {"wheels": {"django": {"languages": {"it": "it_IT"}}}}}},
        {"studies": {"mine": {**STUDY, "seeds": [7]}}},
        {"margin": 0.5},
    ],
    ids=lambda overlay: next(iter(overlay)),
)
def test_an_addition_changes_no_job_that_was_there(overlay: dict[str, Any]) -> None:
    assert changed(overlay) == set()


OWN_TEXT = {
    "corpora": {"mine": {"files": {"sw": __file__, "en": __file__}, "split": {"tuning": 9}}},
    "pairs": {"sw-en": {"corpus": "mine"}},
}
PRETRAINED = {**read_yaml(DEFAULT_FILE)["models"]["small"]["pretrain"], "pairs": ["sw-en"]}


@pytest.mark.parametrize(
    ("overlay", "others"),
    [
        ({}, {"es-en": []}),
        (OWN_TEXT, {"es-en": [], "sw-en": ["interface"]}),
        (
            {**OWN_TEXT, "studies": {"budgets": {"pairs": ["sw-en"]}}, "models": {"small": {"pretrain": PRETRAINED}}},
            {"es-en": ["mine"], "pt-en": ["mine"], "sw-en": ["interface"]},
        ),
        ({**OWN_TEXT, "models": {"unused": {"pretrain": PRETRAINED}}}, {"es-en": []}),
        ({**OWN_TEXT, "models": {"large": {"pretrain": PRETRAINED}}}, {"es-en": ["mine"]}),
    ],
    ids=["one corpus", "in the catalogue", "tuned on", "of an unused model", "pre-trained on"],
)
def test_pairs_are_screened_against_the_other_corpora_in_use(
    overlay: dict[str, Any], others: dict[str, list[str]]
) -> None:
    configuration = configured(overlay)
    for pair, corpora in others.items():
        expected = [f"data/corpora/{corpus}/split.json" for corpus in corpora]
        assert other_splits(configuration, {"pair": pair}) == expected


def is_cell_of(job: tuple[str, ...], *, step: str, **labels: str) -> bool:
    if job[0] != f"{step}_settings":
        return False
    found = dict(re.findall(r"(\w+)='([^']*)'", job[1]))
    return set(found) == set(DIMENSIONS) and all(found[name] == label for name, label in labels.items())


@pytest.mark.parametrize(
    ("overlay", "step", "labels"),
    [
        ({"methods": {"lora": {"learning_rate": 0.01}}}, "train", {"method": "lora"}),
        ({"methods": {"adapter": {"activation": "gelu"}}}, "train", {"method": "adapter"}),
        ({"methods": {"lora": {"learning_rate": {"n250": 1, "default": 0.003}}}}, "train", {"method": "lora"}),
        ({"budgets": {"b20": 0.3}}, "train", {"budget": "b20"}),
    ],
)
def test_an_edit_changes_the_training_of_the_cells_that_use_it_alone(
    overlay: dict[str, Any], step: str, labels: dict[str, str]
) -> None:
    edited = changed(overlay)
    if "learning_rate" in overlay.get("methods", {}).get("lora", {}) and isinstance(
        overlay["methods"]["lora"]["learning_rate"], dict
    ):
        labels = {**labels, "size": "n250"}

    assert edited == {job for job in told(configured()) if is_cell_of(job, step=step, **labels)}
    assert edited


@pytest.mark.parametrize(
    ("overlay", "steps"),
    [
        ({"training": {"warmup": 0.2}}, {"train_settings"}),
        ({"decoding": {"beam_size": 4}}, {"train_settings", "decode_settings"}),
        ({"sizes": {"n250": {"pairs": 300}}}, {"subset_settings"}),
        ({"sizes": {"n250": {"updates": 300}}}, {"train_settings"}),
        ({"corpora": {"interface": {"split": {"dev": 77}}}}, {"split_settings"}),
        ({"corpora": {"interface": {"clean": {"max_words": 20}}}}, {"clean_settings"}),
        ({"corpora": {"interface": {"wheels": {"django": {"languages": {"pt": "pt_BR"}}}}}}, {"clean_settings"}),
        ({"studies": {"budgets": {"stamp": "draft"}}}, {"figure_settings"}),
    ],
)
def test_an_edit_reaches_the_steps_that_use_it_alone(overlay: dict[str, Any], steps: set[str]) -> None:
    assert {job[0] for job in changed(overlay)} == steps


def test_what_trains_nothing_is_told_of_no_optimisation() -> None:
    edited = changed({"training": {"warmup": 0.2}})

    assert {method for job in edited for method in re.findall(r"method='(\w+)'", job[1])} == {
        *("full", "adapter", "lora", "scratch")
    }


def test_settings_are_plain_sorted_json() -> None:
    for text in told(configured()).values():
        content = json.loads(text)
        assert text == json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert "\n" not in text
