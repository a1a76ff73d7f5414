"""What each step is told: plain settings, resolved from the configuration, one mapping per job.

A job's settings hold all that its result depends on besides its input files, and nothing else: editing one entry of
the configuration changes the settings of the jobs that use it and of no others. Those of the steps that make text are
in `corpus_settings`.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.cells import ANY, Cell, fold, told_cells
from mtpeft.config import rates
from mtpeft.config.contrasts import (
    claim_cells,
    claim_params,
    foreign_language,
    full_fine_tuning_checks,
    untouched_checks,
)
from mtpeft.config.draws import BY_SEED
from mtpeft.config.exposure import exposure_of
from mtpeft.config.metrics import margin_params, params_of_metric, params_of_metrics
from mtpeft.config.recipes import RECIPES
from mtpeft.config.resolve import (
    method_options,
    model_with,
    origin_of,
    pair_languages,
    pretrain_languages,
    with_languages,
)
from mtpeft.config.schema import Configuration
from mtpeft.config.section import plain
from mtpeft.config.studies import all_cells, drawn_cells, study_others, untouched_elsewhere
from mtpeft.config.test_sets import test_sets
from mtpeft.core.files import sha256_of
from mtpeft.core.project import found_path
from mtpeft.methods import METHODS
from mtpeft.models.config_json import mbart_config

DISTANCES = Path(__file__).parents[2] / "distances" / "lang2vec.csv"
"""Distances of languages from English."""
Settings = dict[str, Any]


def vocabulary_settings(configuration: Configuration, vocabulary: str) -> Settings:
    """Settings of a vocabulary."""
    model = model_with(configuration, vocabulary)
    return {
        "recipe": RECIPES["vocabulary"],
        "size": configuration.models[model].pretrain.vocabulary,
        "languages": pretrain_languages(configuration, model),
    }


def tokens_settings(configuration: Configuration, vocabulary: str, pair: str) -> Settings:
    """Settings of the token arrays of a pair in a vocabulary; a model in a folder says how long they may be."""
    source, target = pair_languages(configuration, pair)
    pretrain = configuration.models[model_with(configuration, vocabulary)].pretrain
    return {
        "recipe": RECIPES["tokens"],
        "source": source,
        "target": target,
        "vocabulary": vocabulary,
        **({"max_positions": pretrain.max_positions} if pretrain else {}),
        **_prompt(configuration, model_with(configuration, vocabulary)),
    }


def pretrain_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of the pre-training of a model."""
    entry = configuration.models[model]
    taken = ("objective", "rows", "updates", "learning_rate", "batch_tokens", "seed")
    return {
        "recipe": RECIPES["pretrain"],
        "config": mbart_config(plain(entry.pretrain), pretrain_languages(configuration, model)),
        "threads": entry.threads,
        "noise": plain(entry.pretrain.noise),
        **{key: getattr(entry.pretrain, key) for key in taken},
    }


def hub_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a model that is fetched from a hub."""
    return {"recipe": RECIPES["hub"], "hub": configuration.models[model].hub, **_prompt(configuration, model)}


def extend_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a model with more entries in its vocabulary than another."""
    extension = configuration.models[model].extend
    pieces = extension.pieces
    sides = {pair: pair_languages(configuration, pair) for pair in (pieces.pairs if pieces else ())}
    return {
        "recipe": RECIPES["extend"],
        "model": extension.model,
        "languages": {language: new.like for language, new in extension.languages.items()},
        "pieces": pieces.entries if pieces else 0,
        "sides": [("source", "target")[sides[pair].index(pieces.language)] for pair in sides],
        **_prompt(configuration, model),
    }


def base_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a base model, wherever it comes from."""
    entry = configuration.models[model]
    kinds = {"pretrain": pretrain_settings, "hub": hub_settings, "extend": extend_settings, "path": local_settings}
    return next(settings for key, settings in kinds.items() if getattr(entry, key))(configuration, model)


def local_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a model that lies in a folder."""
    path = str(found_path(str(configuration.models[model].path)))
    return {"recipe": RECIPES["local"], "path": path, **_prompt(configuration, model)}


def _prompt(configuration: Configuration, model: str) -> Settings:
    """The prompt of a model or of the one that it extends, if it has one."""
    labels = (model, origin_of(configuration, model))
    given = next((prompt for label in labels if (prompt := configuration.models[label].prompt) is not None), None)
    return {} if given is None else {"prompt": given}


def train_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the training of a cell; a learning rate that has yet to be found is the search for it."""
    settings = _without_rate(configuration, cell)
    if "optimisation" in settings:
        settings["optimisation"]["learning_rate"] = _rate(configuration, cell)
    return settings


def tune_settings(configuration: Configuration, *labels: str) -> Settings:
    """Settings of the search for the rate of a class, given its labels: model, size, method, budget."""
    cell = class_cell(*labels)
    trials = {
        rates.trial_label(trial): _without_rate(configuration, trial)
        for trial in rates.trial_cells(configuration, cell)
    }
    return {"recipe": RECIPES["tune"], **rates.search_settings(configuration, cell, trials)}


def class_cell(model: str, size: str, method: str, budget: str) -> Cell:
    """Any cell of a class."""
    return Cell(model, ANY, size, method, budget, ANY)


def needs_search(configuration: Configuration, cell: Cell) -> bool:
    """Whether the learning rate of a cell has yet to be searched for."""
    if rates.search_of(configuration, cell.method) is None:
        return False
    return _rate_of_class(configuration, *(getattr(cell, name) for name in rates.CLASS))[0] is None


def _rate(configuration: Configuration, cell: Cell) -> Any:
    rate = configuration.methods[cell.method].learning_rate
    if isinstance(rate, dict):
        return rate.get(cell.size, rate.get("default"))
    if rates.search_of(configuration, cell.method) is None:
        return rate
    found, search = _rate_of_class(configuration, *(getattr(cell, name) for name in rates.CLASS))
    return {"search": search} if found is None else found


@lru_cache(maxsize=4096)
def _rate_of_class(configuration: Configuration, *labels: str) -> tuple[float | None, str]:
    """The learning rate of a class that is searched for, if it is known, and the digest of its search."""
    search = tune_settings(configuration, *labels)
    return rates.known_rate(configuration, class_cell(*labels), search), rates.digest(search)


def _without_rate(configuration: Configuration, cell: Cell) -> Settings:
    options = method_options(configuration, cell.method)
    method = METHODS[options["tuner"]]
    settings = {"recipe": RECIPES["train"], "method": options} | _common(configuration, cell)
    if method.trains == "nothing":
        return settings
    optimisation = plain(configuration.training) | {"updates": configuration.sizes[cell.size].updates}
    if configuration.sizes[cell.size].draws != BY_SEED:
        settings["draws"] = configuration.sizes[cell.size].draws
    if optimisation["weight_decay"]:
        optimisation["decayed"] = "matrices"  # once it was all
    if cell.is_group:
        settings["pairs_each"] = configuration.sizes[cell.size].pairs
        settings["method"] = with_languages(options, settings["members"].values())
    else:
        del optimisation["temperature"]
    budget = configuration.budgets[cell.budget] if method.trains == "sized" else None
    return settings | {"budget": budget, "optimisation": optimisation, "seed": int(cell.seed)}


def judge_settings(configuration: Configuration, model: str, pair: str) -> Settings:
    """Settings of the dev score of a base model."""
    return {"recipe": RECIPES["judge"]} | _common(configuration, Cell(model, pair, *[ANY] * 4))


def decode_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the decoding of a cell."""
    return {"recipe": RECIPES["decode"]} | _common(configuration, cell)


def represent_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the measuring of a cell's representations; how it translates does not matter."""
    settings = {"recipe": RECIPES["represent"]} | _common(configuration, cell)
    return {key: value for key, value in settings.items() if key != "search"}


def _common(configuration: Configuration, cell: Cell) -> Settings:
    entry = configuration.models.get(cell.model)
    model = {"threads": entry.threads, **entry.held} if entry else {}
    search = {"search": plain(configuration.decoding)} if model else {}
    members = {
        pair: dict(zip(("source", "target"), pair_languages(configuration, pair), strict=True)) for pair in cell.members
    }
    pairs = {"members": members} if cell.is_group else {"languages": members[cell.pair]}
    return pairs | model | search


def score_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the scoring of a cell."""
    source, target = pair_languages(configuration, cell.pair)
    return {"recipe": RECIPES["score"], "source": source, "target": target} | params_of_metrics(configuration)


def tables_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the collection of a study's tables: its cells, or all for `efficiency`, and their metrics."""
    return told_cells(drawn_cells(configuration, study)) | params_of_metrics(configuration)


def summary_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the summary of a study, or of all of them for `efficiency`: its cells."""
    return {"recipe": RECIPES["summary"]} | tables_settings(configuration, study)


def others_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the summary of a study on other pairs than those its cells are tuned on: the cells of each."""
    cells: dict[str, list[Cell]] = {}
    for cell, pair in study_others(configuration, study):
        cells.setdefault(pair, []).append(cell)
    return {
        "recipe": RECIPES["others"],
        "cells": {pair: fold(own) for pair, own in cells.items()},
        "elsewhere": {pair: digest for own in cells.values() for pair, digest in own[0].elsewhere.items()},
        "untouched": fold(untouched_elsewhere(configuration, study)),
    } | params_of_metrics(configuration)


def representations_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the table of a study's representations: its cells."""
    return {"recipe": RECIPES["representations"], "cells": fold(drawn_cells(configuration, study))}


def text_settings(configuration: Configuration) -> Settings:
    """Settings of the description of the test sets: which models read which."""
    read = _read_pairs(all_cells(configuration))
    labels = [
        {"model": model, "pair": pair, "test_set": name}
        for model, pair in read
        for name in test_sets(configuration, pair)
    ]
    return {"recipe": RECIPES["text"], "tested": labels}


def findings_settings(configuration: Configuration) -> Settings:
    """Settings of the findings: every claim with the cells that it is tested on, and the gate before all of them."""
    from mtpeft.config.folders import placed  # which itself needs the settings of cells

    settings = {
        "recipe": RECIPES["findings"],
        "margin": margin_params(configuration),
        "distances": sha256_of(DISTANCES),
        "claims": {label: claim_params(configuration, label) for label in configuration.findings},
        "gate": full_fine_tuning_checks(configuration),
        "untouched": untouched_checks(configuration),
        **params_of_metrics(configuration),
    }
    return settings | told_cells(placed(configuration, cell) for cell in claim_cells(settings))


def figure_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the figure of a study; `efficiency` is drawn from the cells of all studies.

    All methods are named, so that each has the same colour in every figure, and models in the order of the study.
    """
    entry = configuration.studies.get(study)
    cells, others = drawn_cells(configuration, study), study_others(configuration, study)
    drawn = [entry] if entry else configuration.studies.values()
    figure = (entry.figure if entry else None) or study
    return {
        "recipe": RECIPES["figure"],
        "figure": figure,
        "study": study,
        "cells": len(cells),
        "stamp": "; ".join(dict.fromkeys(filter(None, (study.stamp for study in drawn)))),
        "languages": {
            pair: language
            for pair in sorted({member for cell in cells for member in cell.members})
            if (language := foreign_language(configuration, pair))
        },
        **({"distances": sha256_of(DISTANCES)} if figure == "languages" else {}),
        **({"exposures": _exposures(configuration, cells)} if figure == "exposure" else {}),
        **({"others": len(others), "also_score": entry.also_score} if others else {}),
        **(params_of_metric(entry.metric) if entry else {}),
        "methods": sorted(configuration.methods),
        "models": [label for label in dict.fromkeys(cell.model for cell in cells) if label != ANY] if entry else [],
    }


def _exposures(configuration: Configuration, cells: Iterable[Cell]) -> list[list[str]]:
    """Model, pair and what the one has seen of the other."""
    return [[model, pair, exposure_of(configuration, model, pair)] for model, pair in _read_pairs(cells)]


def _read_pairs(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """Models with the pairs that they are scored on in these cells, sorted."""
    return sorted({(cell.model, pair) for cell in cells if cell.model != ANY for pair in cell.members})
