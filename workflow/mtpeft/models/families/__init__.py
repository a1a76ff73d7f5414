"""Families of models: what differs between them, one module per line of descent, and which of them a folder holds."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.models.architecture import NEW_ENTRIES, ModelShape
from mtpeft.models.families.base import Family, Names
from mtpeft.models.families.m2m100 import M2M100, NLLB, NLLB_CODES
from mtpeft.models.families.marian import MARIAN
from mtpeft.models.families.mbart import MBART25, MBART25_CODES, MBART50, MBART50_CODES
from mtpeft.models.families.t5 import MT5, T5
from mtpeft.models.families.vocabulary import added_entries, all_entries, read_json

__all__ = ["FAMILIES", "family_in", "names_by_files", "names_class", "read_json", "read_shape"]
FAMILIES = (MBART50, MBART25, NLLB, M2M100, MARIAN, T5, MT5)


def read_shape(config: Mapping[str, Any], *, file: str = "The model's config.json") -> ModelShape:
    """Shape of the model that a `config.json` describes; `file` is what a sentence about it calls it.

    Raises:
        UserError: the architecture is not supported, or a key is missing.
    """
    known = {family.model_type: family for family in FAMILIES}
    model_type = config.get("model_type")
    if model_type not in known:
        raise UserError(
            f"{file} says model_type '{model_type}', which is not supported; "
            f"use a model of type {', '.join(list(known)[:-1])} or {list(known)[-1]}."
        )
    # T5 and mT5 alone may have an output projection of their own.
    if not config.get("tie_word_embeddings", True) and known[model_type] not in (T5, MT5):
        raise UserError(f"{file} says tie_word_embeddings false; use a model that shares its embeddings.")
    try:
        return replace(known[model_type].shape(config), new_entries=config.get(NEW_ENTRIES, 0))
    except KeyError as missing:
        raise UserError(f"{file} has no key {missing}; is it a complete {known[model_type].title} model?") from missing


def family_in(folder: Path) -> Family:
    """The family of the tokenizer in a folder: its class decides, which one of two files may name, else its entries.

    Raises:
        UserError: neither is known.
    """
    config, described = read_json(folder / "config.json"), read_json(folder / "tokenizer_config.json")
    model_type = config.get("model_type")
    named = _class_of(described) or _class_of(config)
    for family in FAMILIES:
        if named in family.tokenizers and model_type in (None, family.model_type):
            return family
    if named is None and (family := _family_by_entries(folder, config, described)):
        return family
    raise UserError(
        f"{folder} has a tokenizer of class '{named}' and a model of type '{model_type}', which are not "
        f"supported together; use a model of {', '.join(family.title for family in FAMILIES)}."
    )


def _family_by_entries(folder: Path, config: Mapping[str, Any], described: Mapping[str, Any]) -> Family | None:
    """The family of a folder that names no class, as the oldest checkpoints do."""
    model_type = config.get("model_type")
    if model_type == "mbart":
        is_50 = described.get("language_codes") == "ML50" or _has_any(folder, set(MBART50_CODES) - set(MBART25_CODES))
        return MBART50 if is_50 or _room_for_languages(folder, config) >= len(MBART50_CODES) else MBART25
    if model_type == "m2m_100":
        return NLLB if _has_any(folder, set(NLLB_CODES)) else M2M100
    return next((family for family in FAMILIES if family.model_type == model_type), None)


def _has_any(folder: Path, codes: Collection[str]) -> bool:
    """Whether a vocabulary has one of some entries; what lies in its small files is looked at first."""
    return not (added_entries(folder).isdisjoint(codes) and set(all_entries(folder)).isdisjoint(codes))


def _room_for_languages(folder: Path, config: Mapping[str, Any]) -> int:
    """Rows of an mBART's embeddings beyond the pieces of its sentencepiece model, `<pad>` and `<mask>`."""
    rows = config.get("vocab_size")
    if not isinstance(rows, int) or not (folder / "sentencepiece.bpe.model").is_file():
        return 0
    return rows - len(all_entries(folder)) - 2


def names_by_files(folder: Path) -> Names | None:
    """The names for languages of the model in a folder, by the files of its tokenizer; None where any language will do.

    Raises:
        UserError: a file is no JSON, or the family is not supported.
    """
    family = family_in(folder)
    entries = all_entries(folder) if family.names_in_vocabulary else added_entries(folder)
    return family.names(read_json(folder / "tokenizer_config.json"), sorted(entries))


def names_class(folder: Path) -> bool:
    """Whether a file of a folder names the class of its tokenizer, as transformers wants it."""
    return any(_class_of(read_json(folder / name)) for name in ("tokenizer_config.json", "config.json"))


def _class_of(config: Mapping[str, Any]) -> str | None:
    named = config.get("tokenizer_class")
    return named.removesuffix("Fast") if isinstance(named, str) else None
