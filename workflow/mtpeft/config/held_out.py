"""Params that decide which sentences of a corpus are held out for dev and test, and models that may have read those."""

from collections.abc import Iterator, Set
from typing import Any

from mtpeft.cells import VERSION
from mtpeft.config.corpora import anchor_pairs
from mtpeft.config.model_origins import ancestors, origin_of
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.config.start_from import pairs_before
from mtpeft.core.files import found_path, read_record
from mtpeft.core.section import plain
from mtpeft.data.sources import SOURCES
from mtpeft.models.config_json import DATA_RECORD


def split_params(configuration: Configuration, corpus: str) -> dict[str, Any]:
    """Params of the choice of a corpus's dev, test and fine-tuning sentences."""
    entry = configuration.corpora[corpus]
    split = plain(entry.split)
    split.pop("present_in")
    return {
        VERSION: entry.source.kind.split_version,
        **split,
        "words": entry.words,
        "written_in": entry.original_language,
        "languages": [list(pair_languages(configuration, pair)) for pair in anchor_pairs(configuration, corpus)],
    }


def held_out_params(configuration: Configuration, corpus: str) -> dict[str, Any]:
    """Describe a corpus by all on which its test sentences depend.

    The user's own files count by their names, since this is compared whenever a configuration is loaded, which must
    read nothing big.
    """
    entry = configuration.corpora[corpus]
    anchors = anchor_pairs(configuration, corpus)
    languages = {entry.original_language, *(code for pair in anchors for code in pair_languages(configuration, pair))}
    described = [source.describe(entry, languages) for source in SOURCES.entries.values()]
    return {
        "split": split_params(configuration, corpus),
        "clean": {VERSION: entry.source.kind.clean_version} | entry.cleaning_params,
        **{key: value for own in described for key, value in own.items()},
    }


def mistakes(configuration: Configuration) -> Iterator[str]:
    """Find models of the studies, and teachers of these, that may have been pre-trained on dev or test sentences.

    The data record of a model holds the params that decided which sentences were held out then. Other wheels and other
    cleaning change which sentences are drawn as much as another split does. A record without some of these params is
    refused as well, since nobody can tell what its model has read.
    """
    blocks = [block for study in configuration.studies.values() for block in study.blocks]
    for label in sorted({model for block in blocks for model in block.models}):
        own = [block for block in blocks if label in block.models]
        pairs = {pair for block in own for pair in (*block.members, *block.also_score)}
        pairs |= pairs_before(configuration, {method for block in own for method in block.methods})
        corpora = {configuration.pairs[pair].corpus for pair in pairs}
        for read in ancestors(configuration, label):
            named = f"'models.{label}'" if read == origin_of(configuration, label) else f"'models.{read}'"
            yield from _may_have_seen(configuration, read, corpora, named=named)


def _may_have_seen(configuration: Configuration, model: str, corpora: Set[str], *, named: str) -> Iterator[str]:
    """Find corpora whose test sentences a model in a folder may have read; messages call it as it is named."""
    path = configuration.models[model].path
    record = found_path(path) / DATA_RECORD if path else None
    if record is None or not record.exists():
        return
    kept_out = read_record(record)["corpora"]
    for corpus in sorted(corpora & set(kept_out)):
        now, then = held_out_params(configuration, corpus), kept_out[corpus]
        differing = [f"'corpora.{corpus}.{key}'" for key in now if key in then and now[key] != then[key]]
        unknown = [f"'corpora.{corpus}.{key}'" for key in now if key not in then]
        if differing:
            yield (
                f"{named} may have seen test sentences: it was pre-trained with another "
                f"{' and another '.join(differing)}; keep the values that come with it, or pre-train it again with "
                "these, as workflow/studies/pretrain.yaml does."
            )
        elif unknown:
            yield (
                f"{named} may have seen test sentences: {record} does not say with which "
                f"{' and '.join(unknown)} it was pre-trained; pre-train it again, as "
                "workflow/studies/pretrain.yaml does."
            )
