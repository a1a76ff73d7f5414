"""Which sentences a corpus has and which of them are held out for dev and test, by what the configuration says."""

from typing import Any

from mtpeft.config.corpora import anchor_pairs
from mtpeft.config.corpus_settings import recipe_of, split_settings
from mtpeft.config.recipes import RECIPES
from mtpeft.config.resolve import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.data.sources import SOURCES


def held_out_settings(configuration: Configuration, corpus: str) -> dict[str, Any]:
    """Describe a corpus by all on which its test sentences depend.

    The user's own files count by their names, since this is compared whenever a configuration is loaded, which must
    read nothing big.
    """
    entry = configuration.corpora[corpus]
    anchors = anchor_pairs(configuration, corpus)
    languages = {entry.original_language, *(code for pair in anchors for code in pair_languages(configuration, pair))}
    described = [
        source.describe(entry, languages, version=RECIPES["wheel"] if source.step == "fetch_wheel" else 0)
        for source in SOURCES.entries.values()
    ]
    return {
        "split": split_settings(configuration, corpus),
        "clean": {"recipe": recipe_of("clean", entry)} | entry.cleaning_params,
        **{key: value for own in described for key, value in own.items()},
    }
