"""The files that hold the weights of a model's folder, and what stands at the head of each: names, shapes, types."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_json_object

if TYPE_CHECKING:
    import torch

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = {"F64", "F32", "F16", "BF16"}
"""Types of numbers that weights may have, as safetensors calls them."""


@dataclass(frozen=True)
class Tensor:
    """What stands at the head of a file about one tensor in it."""

    file: Path
    shape: tuple[int, ...]
    kind: str


def weight_files(folder: Path, *, key: str) -> list[Path]:
    """The files that hold a model's weights: one, or those that an index names.

    Raises:
        UserError: there is none, or one that the index names is not there; names `key`.
    """
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"'{key}' is '{folder}', which holds an adapter and not a whole model; merge it with its base, and "
            "write the folder of the merged model."
        )
    single, index = folder / SINGLE, folder / INDEX
    if single.is_file():
        return [single]
    if not index.is_file():
        other = _other_format(folder)
        raise UserError(
            f"'{key}' is '{folder}', but that folder has no *.safetensors weights under the name {SINGLE}, nor "
            f"{INDEX}; nothing else is read{other}."
        )
    names = _named_in(index)
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise UserError(f"{index} names {name}, which is not there; copy all files of the model into the folder.")
    return [folder / name for name in names]


def _other_format(folder: Path) -> str:
    for pattern in ("*.safetensors", "*.bin", "*.pt", "*.ckpt", "*.h5", "*.msgpack", "*.npz"):
        for file in sorted(folder.glob(pattern)):
            return f", such as {file.name} there; open the model with transformers and save it with `save_pretrained`"
    return ""


def _named_in(index: Path) -> list[str]:
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise UserError(f"{index} has no 'weight_map' that says which file holds which tensor; copy it again.")
    return sorted(set(places.values()))


def read_heads(files: Sequence[Path]) -> dict[str, Tensor]:
    """The tensors of files by name, without their numbers.

    Raises:
        UserError: a file is cut short or no safetensors, two hold the same tensor, an index says otherwise, or it
            holds numbers that are no floats.
    """
    found: dict[str, Tensor] = {}
    for file in files:
        for name, tensor in _read_head(file).items():
            if name in found:
                raise UserError(f"{file} and {found[name].file} both hold '{name}'; take one of the files away.")
            if tensor.kind not in FLOATS:
                raise UserError(
                    f"{file} holds '{name}' in numbers of type {tensor.kind}; use a checkpoint of whole weights, in "
                    "floats of 16 bits or more."
                )
            found[name] = tensor
    if files and (index := files[0].parent / INDEX).is_file() and files[0].name != SINGLE:
        for name, place in read_json_object(index)["weight_map"].items():
            if name not in found or found[name].file.name != place:
                raise UserError(f"{index} says that {place} holds '{name}', but it does not; copy the files again.")
    return found


def _read_head(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as stream:
            slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118 - it is no mapping
            written_by = (stream.metadata() or {}).get("format", "pt")
            heads = {name: Tensor(file, tuple(held.get_shape()), held.get_dtype()) for name, held in slices.items()}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file} is no whole safetensors file ({first_line(error)}); copy or download it again."
        ) from error
    if written_by != "pt":
        raise UserError(
            f"{file} was written for '{written_by}' and not for PyTorch ('pt'), so its matrices may be turned; save "
            "the model from PyTorch."
        )
    if not heads:
        raise UserError(f"{file} holds no tensor; copy or download it again.")
    return heads


def check_numbers(files: Sequence[Path]) -> None:
    """Refuse weights that are not numbers: NaN and infinity. All of them are read, one tensor at a time.

    Raises:
        UserError: names the file and the tensor.
    """
    import torch
    from safetensors import safe_open

    for file in files:
        with safe_open(file, framework="pt") as stream:
            for name in stream.keys():  # noqa: SIM118 - it is no mapping
                if not torch.isfinite(stream.get_tensor(name)).all():
                    raise UserError(
                        f"{file} holds '{name}' with numbers that are NaN or infinite; use a checkpoint without."
                    )


def read_tensor(head: Tensor, name: str) -> "torch.Tensor":
    """The numbers of a tensor."""
    from safetensors import safe_open

    with safe_open(head.file, framework="pt") as stream:
        return stream.get_tensor(name)


def first_line(error: Exception) -> str:
    """What an error says first."""
    return next(iter(str(error).splitlines()), type(error).__name__)
