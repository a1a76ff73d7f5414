"""Families of models: what differs between them, one module per line of descent, and which of them a folder holds."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError
from mtpeft.models.families.base import Family
from mtpeft.models.families.m2m100 import M2M100, NLLB
from mtpeft.models.families.marian import MARIAN
from mtpeft.models.families.mbart import MBART25, MBART50
from mtpeft.models.families.t5 import MT5, T5
from mtpeft.models.json_files import read_json_object
from mtpeft.models.shapes import NEW_ENTRIES, ModelShape

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
    """The family of the tokenizer in a folder: its class decides, and the `model_type` where it names none.

    Raises:
        UserError: neither is known.
    """
    tokenizer = _class_of(read_json(folder / "tokenizer_config.json"))
    model_type = read_json(folder / "config.json").get("model_type")
    for family in FAMILIES:
        if tokenizer in family.tokenizers and model_type in (None, family.model_type):
            return family
    # The oldest checkpoints of a type name no class: it was the only one then.
    first = {family.model_type: family for family in (*FAMILIES, MBART25, M2M100)}
    if tokenizer is None and model_type in first:
        return first[model_type]
    raise UserError(
        f"{folder} has a tokenizer of class '{tokenizer}' and a model of type '{model_type}', which are not "
        f"supported together; use a model of {', '.join(family.title for family in FAMILIES)}."
    )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file of a model's folder, or nothing where it is not there."""
    return read_json_object(file) if file.is_file() else {}


def _class_of(config: Mapping[str, Any]) -> str | None:
    return (config.get("tokenizer_class") or "").removesuffix("Fast") or None
