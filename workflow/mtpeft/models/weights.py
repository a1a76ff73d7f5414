"""Check the weights in a model's folder: the files that hold them, and whether they fit the config.json beside them.

Transformers fills in missing weights with random numbers, leaves out those that it has no place for, and says so in its
log at most. Names and shapes are in the header of each file, so both are checked before any weight is read.
"""

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core import compat
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_json_object
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import family_of_config

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LOGITS_BIAS = "final_logits_bias"
SINUSOIDS = ("embed_positions.weight", "embed_positions.weights")
"""Tables of positions, which a model computes by itself and some older checkpoints hold as well."""
VERSIONS = ("encoder.version", "decoder.version")
"""Numbers of a file format, which some of the oldest checkpoints hold."""
FLOATS = {"F64", "F32", "F16", "BF16"}
"""Types of numbers that weights may have, as safetensors calls them."""


@dataclass(frozen=True)
class Tensor:
    """The header of a tensor in a file: its shape, and the type of its numbers."""

    file: Path
    shape: tuple[int, ...]
    kind: str


def weight_files(folder: Path, *, key: str) -> list[Path]:
    """Return the files that hold a model's weights: one, or those that an index names.

    Raises:
        UserError: there is none, or one that the index names is not there; the message names `key`.
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
    """Return the headers of all tensors of some files, by the tensors' names.

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


def read_tensor(head: Tensor, name: str) -> "torch.Tensor":
    """Read the numbers of a tensor."""
    from safetensors import safe_open

    with safe_open(head.file, framework="pt") as stream:
        return stream.get_tensor(name)


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


def first_line(error: Exception) -> str:
    """Return the first line of an error."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def check_weights(folder: Path, config: Mapping[str, Any], *, key: str, shape: ModelShape) -> None:
    """Refuse weights whose names and shapes are not those of the model that a config.json describes.

    Args:
        folder: of the model.
        config: keys of its config.json.
        key: of the configuration, for messages.
        shape: of the model by these keys.

    Raises:
        UserError: a tensor is missing, has another name or shape or has no place, or a file is broken.
    """
    heads = read_heads(weight_files(folder, key=key))
    model, report = _fitted(folder, config, heads)
    refuse_other_tensors(model, _with_learnt_bias(model, report, heads), folder=folder, heads=heads)
    _check_ties(config, heads, folder=folder)
    built = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    for linear in shape.linears:
        found = built.get(f"{linear.module}.weight")
        if found != (linear.outputs, linear.inputs):
            raise UserError(
                f"{folder / 'config.json'} contradicts itself: by some of its keys '{linear.module}' has the size "
                f"{[linear.outputs, linear.inputs]}, by others {[*found] if found else 'none'}; copy it again."
            )


def _fitted(
    folder: Path, config: Mapping[str, Any], heads: Mapping[str, Tensor]
) -> tuple["PreTrainedModel", Mapping[str, Any]]:
    """Build the model without numbers; returns it with transformers' report on these names and shapes.

    Raises:
        UserError: no model can be built from the config.json.
    """
    import torch
    from transformers import AutoConfig

    tensors = {name: torch.empty(head.shape, device="meta") for name, head in heads.items()}
    try:
        built = AutoConfig.for_model(**config)
        with quiet_loading():
            return (
                family_of_config(config)
                .task.model_class(built)
                .from_pretrained(
                    None,
                    config=built,
                    state_dict=tensors,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,
                    device_map="meta",
                )
            )
    except Exception as error:  # whatever a class of the library makes of a user's numbers
        raise UserError(
            f"{folder / 'config.json'} describes no model that can be built ({type(error).__name__}: "
            f"{first_line(error)}); copy it from the checkpoint again."
        ) from error


def refuse_other_weights(model: "PreTrainedModel", report: Mapping[str, Any], folder: Path) -> None:
    """Refuse a model that was loaded from other weights than its own.

    Args:
        model: as it was loaded.
        report: transformers' report on the loading, its `output_loading_info`.
        folder: of the model.

    Raises:
        UserError: weights are missing, or have other names or shapes.
    """
    heads = read_heads(weight_files(folder, key=str(folder)))
    refuse_other_tensors(model, _with_learnt_bias(model, report, heads), folder=folder, heads=heads)


def refuse_other_tensors(
    model: "PreTrainedModel", report: Mapping[str, Any], *, folder: Path, heads: Mapping[str, Tensor]
) -> None:
    """Refuse tensors that are missing, have other names or shapes, or have no place though they would change results.

    Args:
        model: as transformers made it.
        report: its report on the tensors, its `output_loading_info`.
        folder: of the model.
        heads: headers of the tensors, where they are in safetensors.

    Raises:
        UserError: names the first such tensor.
    """
    kind = f"a model of type '{model.config.model_type}'"
    missing = sorted(report["missing_keys"])
    strange = sorted(name for name in report["unexpected_keys"] if not _changes_nothing(model, name, heads.get(name)))
    if missing and strange and (prefixes := _prefixes(missing, strange)):
        theirs, ours = prefixes
        remedy = (
            f"write '{ours}' for '{theirs}'"
            if theirs and ours
            else f"take '{theirs}' off"
            if theirs
            else f"put '{ours}'"
        )
        raise UserError(
            f"The weights in {_place(folder, heads, strange[0])} have names such as '{strange[0]}', where {kind} has "
            f"'{strange[0].replace(theirs, ours, 1)}'; {remedy} at the beginning of their names, and save them again."
        )
    if missing:
        raise UserError(
            f"The weights in {folder} lack '{missing[0]}'{_more(missing)}, which {kind} has with this config.json; "
            "name a whole checkpoint of such a model."
        )
    if report["mismatched_keys"]:
        name, held, wanted = min(report["mismatched_keys"])
        raise UserError(
            f"{_place(folder, heads, name)} holds '{name}' of the shape {[*held]}{_more(report['mismatched_keys'])}, "
            f"but by {folder / 'config.json'} it has {[*wanted]}; put the two files of one model there."
        )
    if strange:
        raise UserError(
            f"{_place(folder, heads, strange[0])} holds '{strange[0]}'{_more(strange)}, for which there is no place by "
            f"{folder / 'config.json'}; put the two files of one model there."
        )


def _with_learnt_bias(
    model: "PreTrainedModel", report: Mapping[str, Any], heads: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Add a missing bias of the logits to a report, for families that learn it; the library takes it for zero."""
    learns_bias = family_of_config(model.config.to_dict()).learns_logits_bias
    lacking = {LOGITS_BIAS} - heads.keys() if learns_bias else set()
    return {**report, "missing_keys": {*report["missing_keys"], *lacking}}


def _place(folder: Path, heads: Mapping[str, Tensor], name: str) -> Path:
    return heads[name].file if name in heads else folder


def _more(names: Collection[Any]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _prefixes(missing: Sequence[str], strange: Sequence[str]) -> tuple[str, str] | None:
    """Return the prefix of the names in a file and the one that they should have, where the rest of them is right."""
    for theirs in strange:
        for ours in missing:
            if theirs.endswith(f".{ours}"):
                return theirs.removesuffix(ours), ""
            if ours.endswith(f".{theirs}"):
                return "", ours.removesuffix(theirs)
            mine, rest = ours.split(".", 1) if "." in ours else ("", ours)
            if mine and theirs.endswith(f".{rest}"):
                return theirs.removesuffix(rest), f"{mine}."
    return None


def _changes_nothing(model: "PreTrainedModel", name: str, head: Tensor | None) -> bool:
    """Return whether a tensor that has no place in a model would change nothing in it."""
    if name.endswith(VERSIONS):
        return True
    if name.endswith(SINUSOIDS):
        return any(map(compat.is_sinusoidal, model.modules()))
    return name.endswith(LOGITS_BIAS) and head is not None and not read_tensor(head, name).any().item()


def _check_ties(config: Mapping[str, Any], heads: Mapping[str, Tensor], *, folder: Path) -> None:
    """Refuse matrices that a config.json says are one, or two, where the weights say otherwise.

    Raises:
        UserError: names both.
    """
    file, key = folder / "config.json", "tie_word_embeddings"
    prefix = "model." if "model.shared.weight" in heads else ""
    names = (f"{prefix}{side}.embed_tokens.weight" for side in ("encoder", "decoder"))
    shared = next((name for name in (f"{prefix}shared.weight", *names) if name in heads), None)
    tied = config.get(key, True)
    output = heads.get("lm_head.weight")
    if not tied and output is None:
        raise UserError(
            f"{file} says {key} false, but {folder} has no 'lm_head.weight'; write true, or add the weights."
        )
    if shared is None:
        return
    first = read_tensor(heads[shared], shared)
    for other in (
        f"{prefix}shared.weight",
        *(f"{prefix}{side}.embed_tokens.weight" for side in ("encoder", "decoder")),
    ):
        if other in heads and other != shared and not _equal(first, read_tensor(heads[other], other)):
            raise UserError(
                f"{heads[other].file} holds '{shared}' and another '{other}', which are one in this family."
            )
    if output is not None and _equal(first, read_tensor(output, "lm_head.weight")) != tied:
        meant = "one matrix, but the two are not equal" if tied else "two matrices, but the two are equal"
        remedy = "false, where the family allows it" if tied else "true"
        raise UserError(
            f"{file} says by {key} that 'lm_head.weight' and '{shared}' are {meant}; write {remedy}, or put the right "
            "weights there."
        )


def _equal(one: "torch.Tensor", other: "torch.Tensor") -> bool:
    import torch

    return torch.equal(one, other)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers from logging its report and from drawing a bar; our messages say what is wrong with weights.

    Accelerate, which loads what is offloaded, logs nothing either.
    """
    from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    loggers, draws = [logging.getLogger(name) for name in ("transformers", "accelerate")], is_progress_bar_enabled()
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # Accelerate wants a place for buffers of the whole model, and then warns that they are no modules.
            warnings.filterwarnings("ignore", message="The following device_map keys do not match any submodules")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        if draws:
            enable_progress_bar()
