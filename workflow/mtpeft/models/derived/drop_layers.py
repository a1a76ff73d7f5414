"""Drop layers of a base model, evenly from its encoder and its decoder; what is left is healed by training it.

The first layer of each side stays, and the last one where more than one does. Sajjad et al. 2020 (arXiv 2004.03844)
compare which layers to drop.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.models.architecture import Stack, side_of
from mtpeft.models.derived import ModelSource
from mtpeft.models.families import read_json, read_shape, require_encoder

if TYPE_CHECKING:
    import torch

DROP_LAYERS = ModelSource(name="drop_layers", folder="healed")
DEPTHS: Mapping[Stack, tuple[str, ...]] = {
    "encoder": ("encoder_layers", "num_layers", "num_hidden_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers"),
}
"""Keys of a config.json with the number of layers of each side; families differ in them."""
ONE_FOR_BOTH = "num_decoder_layers"
"""Key that a config.json may lack where both sides have as many layers."""
Depths = Mapping[Stack, int]
"""Number of layers of each side."""


def kept_layers(layers: int, kept: int) -> list[int]:
    """Return which layers stay, counted from 0: the first, the last, and those between them at even distances."""
    return [round(place * (layers - 1) / max(1, kept - 1)) for place in range(kept)]


def copy_with_layers(folder: Path, target: Path, kept: Depths, *, key: str) -> None:
    """Copy a model into another folder with some of its layers alone.

    Args:
        folder: of the model.
        target: folder that exists.
        kept: number of layers that stay on each side.
        key: of the configuration, for messages.

    Raises:
        UserError: a side has fewer layers.
    """
    from safetensors.torch import save_file

    require_encoder(folder, key=key)
    config = read_json(folder / "config.json")
    numbers = _new_numbers(config, kept, key=key)
    for file in filter(Path.is_file, folder.iterdir()):
        if not file.name.endswith((".safetensors", ".safetensors.index.json")):
            shutil.copyfile(file, target / file.name)
    tensors: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= _with_numbers(file, numbers)
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    write_record(target / "config.json", config | _depth_keys(config, kept))


def _depth_keys(config: Mapping[str, Any], kept: Depths) -> dict[str, int]:
    """Return the keys of a config.json that say how many layers there are, with other numbers."""
    found = {key: kept[side] for side, keys in DEPTHS.items() for key in keys if config.get(key) is not None}
    return found | ({ONE_FOR_BOTH: kept["decoder"]} if "num_layers" in found else {})


def _new_numbers(config: Mapping[str, Any], kept: Depths, *, key: str) -> dict[str, dict[int, int]]:
    """Return the new number of each layer that stays, by the name of its stack without that of the whole model."""
    stacks: dict[str, int] = {}
    for layer in read_shape(config).layers:
        stack = layer.rpartition(".")[0].removeprefix("model.")
        stacks[stack] = stacks.get(stack, 0) + 1
    numbers = {}
    for stack, layers in stacks.items():
        side = side_of(stack)
        if kept[side] > layers:
            raise UserError(f"'{key}.{side}' is {kept[side]}, but the model has {layers} layers there; write fewer.")
        numbers[stack] = {old: new for new, old in enumerate(kept_layers(layers, kept[side]))}
    return numbers


def _with_numbers(file: Path, numbers: Mapping[str, Mapping[int, int]]) -> "dict[str, torch.Tensor]":
    """Return the tensors of a file, those of layers that stay under their new numbers."""
    from safetensors import safe_open

    stacks = "|".join(map(re.escape, numbers))
    pattern = re.compile(rf"(?P<before>^|^.*\.)(?P<stack>{stacks})\.(?P<number>\d+)\.(?P<rest>.+)$")
    tensors = {}
    with safe_open(file, framework="pt") as stream:
        for name in stream.keys():  # noqa: SIM118 - it is no mapping
            found = pattern.match(name)
            if found is None:
                tensors[name] = stream.get_tensor(name).contiguous()
            elif (number := numbers[found["stack"]].get(int(found["number"]))) is not None:
                own = f"{found['before']}{found['stack']}.{number}.{found['rest']}"
                tensors[own] = stream.get_tensor(name).contiguous()
    return tensors
