"""What decides which sentences a corpus has, and which of them are tested on."""

from collections.abc import Iterator
from typing import Any

from mtpeft.config.cleaning import cleaning_settings, recipe_of
from mtpeft.config.corpora import anchor_pairs, written_in
from mtpeft.config.corpus_settings import split_settings, wheel_settings
from mtpeft.config.models import origin_of
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.files import found_path, read_record
from mtpeft.models.config_json import DATA_RECORD


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


def mistakes(configuration: Configuration) -> Iterator[str]:
    """Models of the studies whose pre-training may have kept other sentences out than those that are tested on now.

    Other wheels and other cleaning change which sentences there are to draw from as much as another split does. A data
    record that does not say what they were is refused as well: nobody can tell what its model has read.
    """
    blocks = [block for study in configuration.studies.values() for block in study.blocks]
    for label in sorted({model for block in blocks for model in block.models}):
        path = configuration.models[origin_of(configuration, label)].path
        record = found_path(path) / DATA_RECORD if path else None
        if record is None or not record.exists():
            continue
        kept_out = read_record(record)["corpora"]
        pairs = {pair for block in blocks if label in block.models for pair in (*block.members, *block.also_score)}
        for corpus in sorted({configuration.pairs[pair].corpus for pair in pairs} & set(kept_out)):
            now, then = held_out_settings(configuration, corpus), kept_out[corpus]
            differing = [f"'corpora.{corpus}.{key}'" for key in now if key in then and now[key] != then[key]]
            unknown = [f"'corpora.{corpus}.{key}'" for key in now if key not in then]
            if differing:
                yield (
                    f"'models.{label}' may have seen test sentences: it was pre-trained with another "
                    f"{' and another '.join(differing)}; keep the values that come with it, or pre-train it again with "
                    "these, as workflow/studies/pretrain.yaml does."
                )
            elif unknown:
                yield (
                    f"'models.{label}' may have seen test sentences: {record} does not say with which "
                    f"{' and '.join(unknown)} it was pre-trained; pre-train it again, as "
                    "workflow/studies/pretrain.yaml does."
                )
