"""Entries of a model's vocabulary: the tensors that have a place for each, and copies of a model with others."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.files import write_record
from mtpeft.models.families import family_of_config, read_json

if TYPE_CHECKING:
    import torch

SIZES = ("vocab_size", "decoder_vocab_size")
"""Keys of a config.json that say how many entries there are."""
ChangeEntries = Callable[["torch.Tensor", int], "torch.Tensor"]
"""Makes a tensor with other entries of one that has them in a dimension."""


def copy_with_entries(
    folder: Path, target: Path, change: ChangeEntries, *, entries: int, keys: Mapping[str, Any]
) -> None:
    """Copy the weights and the config.json of a model into another folder, with other entries of its vocabulary.

    Args:
        folder: of the model.
        target: folder that exists.
        change: makes the new tensor of each that has a place for each entry.
        entries: number of entries that the model then has.
        keys: further keys of config.json.
    """
    from safetensors.torch import save_file

    config = read_json(folder / "config.json")
    places = entry_dimensions(config)
    for file in sorted(folder.glob("*.safetensors")):
        save_file(_changed(file, change, places), target / file.name, {"format": "pt"})
    for index in folder.glob("*.safetensors.index.json"):
        shutil.copyfile(index, target / index.name)
    write_record(target / "config.json", {**config, **resized(config, entries), **keys})


def resized(config: Mapping[str, Any], entries: int) -> dict[str, int]:
    """Return the keys of a config.json that say how many entries there are, with another number."""
    return {name: entries for name in SIZES if config.get(name) is not None}


def entry_dimensions(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the tensors of a model that have a place for each entry of the vocabulary, and in which dimension.

    They are those that grow when there is one entry more.
    """
    import torch
    from transformers import AutoConfig

    shapes = []
    for more in (0, 1):
        sizes = resized(config, config["vocab_size"] + more)
        with torch.device("meta"):
            model = family_of_config(config).task.auto_model().from_config(AutoConfig.for_model(**{**config, **sizes}))
        shapes.append({name: tensor.shape for name, tensor in model.state_dict().items()})
    plain, larger = shapes
    return {
        name: next(place for place, size in enumerate(shape) if size != larger[name][place])
        for name, shape in plain.items()
        if shape != larger[name]
    }


def _place_of(name: str, places: Mapping[str, int]) -> int | None:
    """Return the dimension of a tensor in a file, which may lack the first part of its name in the model."""
    return next((place for known, place in places.items() if known == name or known.endswith(f".{name}")), None)


def _changed(file: Path, change: ChangeEntries, places: Mapping[str, int]) -> "dict[str, torch.Tensor]":
    """Return the tensors of a file with other entries."""
    from safetensors import safe_open

    tensors = {}
    with safe_open(file, framework="pt") as stream:
        for name in stream.keys():  # noqa: SIM118 - it is no mapping
            tensor, place = stream.get_tensor(name), _place_of(name, places)
            tensors[name] = (tensor if place is None else change(tensor, place)).contiguous()
    return tensors
