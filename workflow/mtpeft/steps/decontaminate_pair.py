"""Divide a pair's clean text into train, dev, test and pre-training text: `data/pairs/<pair>-<digest>/`.

What stands, or nearly stands, in dev or test of any corpus is taken out of the other parts.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import VERSION, digest_of, name_of
from mtpeft.config import corpora as corpora_config
from mtpeft.config import pairs as pairs_config
from mtpeft.core.languages import same_language
from mtpeft.data.cleaning_options import UI_STRINGS
from mtpeft.steps import prepare_test_set
from mtpeft.steps.clean_pair import CACHED, clean_digest
from mtpeft.steps.split_corpus import corpus_name, split_file
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", pair: str) -> Params:
    """Params of the division of one pair into its parts.

    `alike` has the other tags under which pairs in use have text of the language of a side, such as `pt-BR` for `pt`.
    """
    languages = dict(zip(("source", "target"), pairs_config.pair_languages(configuration, pair), strict=True))
    corpus = configuration.corpora[configuration.pairs[pair].corpus]
    others = {side: _tags_like(configuration, language) for side, language in languages.items()}
    alike = {side: list(tags) for side, tags in others.items() if tags}
    return {
        VERSION: corpus.source.kind.split_version,
        "near_duplicate": corpus.split.near_duplicate,
        **languages,
        **({"alike": alike} if alike else {}),
    }


@lru_cache(maxsize=CACHED)
def _tags_like(configuration: "Configuration", language: str) -> tuple[str, ...]:
    """Return the other tags of a language among those of the pairs of all corpora in use."""
    used = set(corpora_config.used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in used]
    tags = {tag for pair in pairs for tag in pairs_config.pair_languages(configuration, pair)}
    return tuple(sorted(tag for tag in tags - {language} if same_language(tag, language)))


@lru_cache(maxsize=CACHED)
def _named_test_sets(configuration: "Configuration") -> tuple[tuple[str, str], ...]:
    """Pairs with the names of their test sets that are no corpus's own, which no training text may resemble."""
    corpora = set(corpora_config.used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in corpora]
    return tuple((pair, name) for pair in pairs for name in corpora_config.test_sets(configuration, pair)[1:])


@lru_cache(maxsize=CACHED)
def _named_test_sets_digest(configuration: "Configuration") -> str:
    named = _named_test_sets(configuration)
    return digest_of(
        {},
        [
            prepare_test_set.STEP.params_of(configuration, dict(zip(("pair", "test_set"), own, strict=True)))
            for own in named
        ],
    )


@lru_cache(maxsize=CACHED)
def pair_digest(configuration: "Configuration", pair: str) -> str:
    """Digest of the text of a pair in all its parts."""
    own = configuration.pairs[pair].corpus
    splits = [
        corpus_name(configuration, corpus) for corpus in corpora_config.used_corpora(configuration) if corpus != own
    ]
    read = [
        clean_digest(configuration, pair),
        corpus_name(configuration, own),
        *splits,
        _named_test_sets_digest(configuration),
    ]
    return digest_of(params(configuration, pair), read)


def pair_name(configuration: "Configuration", pair: str) -> str:
    """Label of a pair with the digest of its text."""
    return name_of(pair, pair_digest(configuration, pair))


def pair_folder(configuration: "Configuration", pair: str) -> str:
    """The folder with the text of a pair."""
    return f"data/pairs/{pair_name(configuration, pair)}"


def inputs(configuration: "Configuration", pair: str) -> Inputs:
    """The clean text, the split of its corpus, the splits of the other corpora in use, and further test sets."""
    own = configuration.pairs[pair].corpus
    others = [
        split_file(configuration, corpus) for corpus in corpora_config.used_corpora(configuration) if corpus != own
    ]
    return {
        "cleaned": f"{pair_folder(configuration, pair)}/clean.tsv",
        "split": split_file(configuration, own),
        "others": [*others, *named_test_records(configuration)],
    }


def named_test_records(configuration: "Configuration") -> list[str]:
    """Records of all named test sets, which no training text may resemble."""
    return [f"{pair_folder(configuration, pair)}/{name}.json" for pair, name in _named_test_sets(configuration)]


def reference(configuration: "Configuration", pair: str, test_set: str) -> str:
    """Text of a test set of a pair."""
    return f"{pair_folder(configuration, pair)}/{test_set}.tsv"


def references(configuration: "Configuration", pair: str) -> list[str]:
    """Text of all test sets of a pair."""
    return [reference(configuration, pair, name) for name in corpora_config.test_sets(configuration, pair)]


def divided(configuration: "Configuration", pairs: Iterable[str]) -> list[str]:
    """Records of how the text of pairs was divided."""
    return [f"{pair_folder(configuration, pair)}/parts.json" for pair in pairs]


def text_records(configuration: "Configuration") -> list[str]:
    """Records of the text of all pairs that are trained, searched or scored on, with what a user should know of it."""
    used = set(corpora_config.used_corpora(configuration))
    pairs = [pair for pair, entry in configuration.pairs.items() if entry.corpus in used]
    own = [pair_folder(configuration, pair) for pair in pairs]
    records = [f"{folder}/{record}.json" for folder in own for record in ("clean", "parts")]
    return [*records, *named_test_records(configuration)]


def run(params: Params, *, cleaned: Path, split: Path, others: list[Path], folder: Path, record: Path) -> None:
    """Divide a pair's text into its parts, and take out of each what would leak from a part of any corpus."""
    from mtpeft.data.decontaminate import decontaminate_pair

    decontaminate_pair(params, cleaned=cleaned, split=split, others=others, folder=folder, record=record)


STEP = Step(
    "decontaminate_pair",
    UI_STRINGS.split_version,
    ("pair",),
    params,
    run,
    inputs,
    makes=("folder", "record"),
    record="data/pairs/{pair}/parts.json",
)
