"""Families of models: what differs between them, one file per line of descent, and which of them a folder holds.

A family is an entry of the registry: a file in this folder that defines a `Family` adds one; no other file is edited.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.core.registry import Registry
from mtpeft.models.architecture import NEW_ENTRIES, ModelShape
from mtpeft.models.families.base import Family, Names
from mtpeft.models.families.vocabulary import added_entries, all_entries, read_json
from mtpeft.models.tasks import Task

__all__ = [
    "FAMILIES",
    "family_in",
    "family_of_config",
    "names_by_files",
    "names_class",
    "read_json",
    "read_shape",
    "require_encoder",
    "task_of",
]
FAMILIES: Registry[Family] = Registry(Family, "mtpeft.models.families", word="family of models")


def family_of_config(config: Mapping[str, Any], *, file: str = "The model's config.json") -> Family:
    """Return the family of a model by the `model_type` of its config.json.

    Families that share a `model_type` differ in their tokenizers alone, so any of them knows the model.

    Raises:
        UserError: the architecture is not supported; the message calls the config.json `file`.
    """
    model_type = config.get("model_type")
    families = FAMILIES.entries.values()
    for family in families:
        if family.model_type == model_type:
            return family
    *others, last = dict.fromkeys(family.model_type for family in families)
    raise UserError(
        f"{file} says model_type '{model_type}', which is not supported; "
        f"use a model of type {', '.join(others)} or {last}."
    )


def task_of(config: Any) -> Task:
    """Return the task of a loaded model, given its configuration."""
    return family_of_config(config.to_dict()).task


def read_shape(config: Mapping[str, Any], *, file: str = "The model's config.json") -> ModelShape:
    """Return the shape of the model that a config.json describes.

    Raises:
        UserError: the architecture is not supported, or a key is missing; the message calls the config.json `file`.
    """
    family = family_of_config(config, file=file)
    if not config.get("tie_word_embeddings", True) and not family.may_untie_output:
        raise UserError(f"{file} says tie_word_embeddings false; use a model that shares its embeddings.")
    try:
        return replace(family.shape(config), new_entries=config.get(NEW_ENTRIES, 0))
    except KeyError as missing:
        raise UserError(f"{file} has no key {missing}; is it a complete {family.title} model?") from missing


def family_in(folder: Path) -> Family:
    """Return the family of the model in a folder.

    The class of the tokenizer decides, which one of two files may name. The oldest checkpoints name none; of families
    that share a `model_type` the vocabulary then decides.

    Raises:
        UserError: the family is not supported.
    """
    config, described = read_json(folder / "config.json"), read_json(folder / "tokenizer_config.json")
    model_type, named = config.get("model_type"), _class_of(described) or _class_of(config)
    families = FAMILIES.entries.values()
    if named is not None:
        found = [own for own in families if named in own.tokenizers and model_type in (None, own.model_type)]
        # Without a model_type, the class means the family that has no other class.
        found.sort(key=lambda own: len(own.tokenizers))
    else:
        found = [own for own in families if own.model_type == model_type and own.is_meant_by(folder, config, described)]
        found.sort(key=lambda own: own.recognised_by is None)
    if found:
        return found[0]
    raise UserError(
        f"{folder} has a tokenizer of class '{named}' and a model of type '{model_type}', which are not "
        f"supported together; use a model of {', '.join(family.title for family in families)}."
    )


def require_encoder(folder: Path, *, key: str) -> None:
    """Refuse to make another model from a decoder-only one.

    Raises:
        UserError: the model in the folder has no encoder; the message names `key`.
    """
    if (family := family_in(folder)).task.is_prompted:
        raise UserError(
            f"'{key}' names a model of {family.title}, which has no encoder; vocabularies and layers of decoder-only "
            "models stay as they are, so name another model."
        )


def names_by_files(folder: Path) -> Names | None:
    """Return the names of languages of the model in a folder, by its tokenizer files; None where any language will do.

    Raises:
        UserError: a file is no JSON, or the family is not supported.
    """
    family = family_in(folder)
    entries = all_entries(folder) if family.names_in_vocabulary else added_entries(folder)
    return family.names(read_json(folder / "tokenizer_config.json"), sorted(entries))


def names_class(folder: Path) -> bool:
    """Return whether a file of a folder names the class of its tokenizer, as transformers wants it."""
    return any(_class_of(read_json(folder / name)) for name in ("tokenizer_config.json", "config.json"))


def _class_of(config: Mapping[str, Any]) -> str | None:
    named = config.get("tokenizer_class")
    return named.removesuffix("Fast") if isinstance(named, str) else None
