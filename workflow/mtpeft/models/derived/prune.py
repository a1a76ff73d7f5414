"""Prune a base model by magnitude: single weights become zero, or whole neurons or heads are taken out.

`weights` makes the smallest weights of all linear layers zero, whichever layer they stand in; See et al. 2016 (arXiv
1606.09274) call this class-blind. They stay zero when the model is trained (see `mtpeft.models.zeros`). `feed_forward`
and `heads` take the same share out of each block, so that matrices become smaller. The magnitude of a neuron or a head
is the product of the norms of what goes into it and of what comes out of it: it is zero where either is, and it stays
the same where one is multiplied by what the other is divided by.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_record
from mtpeft.models.architecture import KEEPS_ZEROS, Linear, ModelShape, is_cross, side_of
from mtpeft.models.derived import ModelSource
from mtpeft.models.families import family_of_config, read_json, read_shape
from mtpeft.models.families.module_names import is_last_of_block
from mtpeft.models.local import record_folder

if TYPE_CHECKING:
    import torch

PRUNE = ModelSource(name="prune", folder="pruned")
Kind = Literal["weights", "feed_forward", "heads"]
"""What is taken out."""
INNER = ("encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "intermediate_size")
"""Keys of a config.json with the width of the feed-forward blocks; families differ in them."""
DISTANCE_BIAS = "relative_attention_bias.weight"
"""End of the name of T5's table of biases, one column per head, which all layers of a side share."""
Tensors = dict[str, "torch.Tensor"]


def kept_of(size: int, share: float) -> int:
    """Return how many of so many neurons or heads stay where a share is taken out; one always does."""
    return max(1, size - round(share * size))


def pruned_shape(shape: ModelShape, *, kind: Kind, share: float) -> ModelShape:
    """Return the shape of a model of which a share was taken out; zeros are parameters as others are."""
    if kind == "weights":
        return shape
    linears = tuple(_smaller(own, shape, kind=kind, share=share) for own in shape.linears)
    lost = sum(own.parameters for own in shape.linears) - sum(own.parameters for own in linears)
    if kind == "feed_forward":
        return replace(shape, linears=linears, total=shape.total - lost)
    heads = kept_of(shape.heads, share)
    return replace(
        shape,
        linears=linears,
        heads=heads,
        attention_width=shape.attention_width // shape.heads * heads,
        total=shape.total - lost - (shape.heads - heads) * shape.distance_biases,
    )


def _smaller(linear: Linear, shape: ModelShape, *, kind: Kind, share: float) -> Linear:
    """Return a linear layer with the inputs or outputs that are left to it."""
    if kind == "feed_forward" and linear.role == "feed_forward":
        if is_last_of_block(linear.module):
            return replace(linear, inputs=kept_of(linear.inputs, share))
        return replace(linear, outputs=kept_of(linear.outputs, share))
    width = shape.attention_width // shape.heads * kept_of(shape.heads, share)
    if kind == "heads" and linear.role == "output":
        return replace(linear, inputs=width)
    if kind == "heads" and linear.role in ("query", "key", "value"):
        return replace(linear, outputs=width)
    return linear


def why_not(config: Mapping[str, Any], kind: Kind) -> str | None:
    """Say why nothing of a kind can be taken out of a model by its config.json; None where it can be."""
    family = family_of_config(config)
    if kind != "heads":
        return None
    if family.heads_key is None:
        return f"the heads of {family.title} in transformers always fill its width, so none can be taken out"
    sides = {config.get(f"{side}_attention_heads") for side in ("encoder", "decoder")}
    return "its two sides have different numbers of heads" if len(sides) > 1 else None


def prune_model(params: Mapping[str, Any], *, base: Path, record: Path) -> None:
    """Write the pruned model into `pruned/`, and its `base.json` beside that.

    Args:
        params: `kind` and `share` of what is taken out.
        base: `base.json` of the model.
        record: `base.json` of the pruned model.

    Raises:
        UserError: nothing of that kind can be taken out of this model.
    """
    origin, target = read_record(base), record.parent / str(PRUNE.folder)
    key = f"models.{label_of(record.parent.name)}.prune"
    with new_folder(target) as temporary:
        counted = copy_pruned(
            Path(origin["folder"]), temporary, kind=params["kind"], share=params["share"], key=f"{key}.kind"
        )
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(base),
        "total_parameters_before": origin["total_parameters"],
        **counted,
    }
    record_folder(params, target, key=key, record=record, origin=described, exposure=origin["exposure"])


def copy_pruned(folder: Path, target: Path, *, kind: Kind, share: float, key: str) -> dict[str, int]:
    """Copy a model into another folder without a share of its weights, neurons or heads; returns how many it had.

    Args:
        folder: of the model.
        target: folder that exists.
        kind: what is taken out.
        share: how much of it.
        key: of the configuration, for messages.

    Raises:
        UserError: nothing of that kind can be taken out of this model.
    """
    from safetensors.torch import load_file, save_file

    config = read_json(folder / "config.json")
    if reason := why_not(config, kind):
        raise UserError(f"'{key}' is '{kind}', but {reason}; write 'feed_forward' or 'weights'.")
    shape, family = read_shape(config), family_of_config(config)
    tensors: Tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    for file in filter(Path.is_file, folder.iterdir()):
        if not file.name.endswith((".safetensors", ".safetensors.index.json")):
            shutil.copyfile(file, target / file.name)
    if kind == "weights":
        counted, keys = _zero_smallest(tensors, shape, share), {KEEPS_ZEROS: True}
    elif kind == "feed_forward":
        counted = _take_out_neurons(tensors, shape, share)
        keys = {name: kept_of(config[name], share) for name in INNER if config.get(name) is not None}
    else:
        counted = _take_out_heads(tensors, shape, kept_of(shape.heads, share))
        keys = {str(family.heads_key): kept_of(shape.heads, share)}
    save_file({name: own.contiguous() for name, own in tensors.items()}, target / "model.safetensors", {"format": "pt"})
    write_record(target / "config.json", config | keys)
    return counted


def _zero_smallest(tensors: Tensors, shape: ModelShape, share: float) -> dict[str, int]:
    """Make the smallest weights of all linear layers zero, exactly the share of them; the first of equal ones."""
    import numpy as np
    import torch

    names = [_in_file(tensors, f"{own.module}.weight") for own in shape.linears]
    sizes = [tensors[name].numel() for name in names]
    magnitudes = np.concatenate([tensors[name].float().abs().flatten().numpy() for name in names])
    zeros = round(share * len(magnitudes))
    limit = np.partition(magnitudes, zeros - 1)[zeros - 1] if zeros else 0.0
    pruned = magnitudes < limit
    pruned[np.flatnonzero(magnitudes == limit)[: zeros - int(pruned.sum())]] = True
    for name, own in zip(names, np.split(pruned, np.cumsum(sizes)[:-1]), strict=True):
        tensors[name] = tensors[name].masked_fill(torch.from_numpy(own).view(tensors[name].shape), 0)
    return {"weights": len(magnitudes), "zeros": sum(int((tensors[name] == 0).sum()) for name in names)}


def _take_out_neurons(tensors: Tensors, shape: ModelShape, share: float) -> dict[str, int]:
    """Take the least neurons out of each feed-forward block."""
    before = after = 0
    for opening, closing in _blocks(shape):
        before, after = before + closing.inputs, after + kept_of(closing.inputs, share)
        importance = _columns(tensors, closing, closing.inputs)
        for own in opening:
            importance = importance * _rows(tensors, own, own.outputs)
        kept = _largest(importance, kept_of(closing.inputs, share))
        for own in opening:
            _keep_outputs(tensors, own, kept)
        _keep_inputs(tensors, closing, kept)
    return {"neurons_before": before, "neurons": after}


def _blocks(shape: ModelShape) -> Iterator[tuple[list[Linear], Linear]]:
    """Yield the opening layers and the closing layer of each feed-forward block."""
    opening: list[Linear] = []
    for linear in shape.linears:
        if linear.role == "feed_forward" and is_last_of_block(linear.module):
            yield opening, linear
            opening = []
        elif linear.role == "feed_forward":
            opening.append(linear)


def _take_out_heads(tensors: Tensors, shape: ModelShape, left: int) -> dict[str, int]:
    """Take the least heads out of each attention module.

    Modules that share biases by distance lose the same heads: those that are least in all of them together.
    """
    shared = {side_of(name): name for name in tensors if name.endswith(DISTANCE_BIAS)}

    def kind_of(attention: str) -> tuple[str, bool]:
        return side_of(attention), is_cross(attention)

    for (side, cross), modules in groupby(sorted(shape.attentions, key=kind_of), kind_of):
        linears = [[own for own in shape.linears if own.module.startswith(f"{module}.")] for module in modules]
        importances = [_of_heads(tensors, own, shape.heads) for own in linears]
        if side in shared and not cross:
            importances = [sum(importances[1:], start=importances[0])] * len(linears)
            own = tensors[shared[side]]
            tensors[shared[side]] = own.index_select(1, _largest(importances[0], left))
        for projections, importance in zip(linears, importances, strict=True):
            kept = _of_width(_largest(importance, left), shape.attention_width // shape.heads)
            for projection in projections:
                (_keep_inputs if projection.role == "output" else _keep_outputs)(tensors, projection, kept)
    return {"heads_before": shape.heads * len(shape.attentions), "heads": left * len(shape.attentions)}


def _of_heads(tensors: Tensors, projections: Sequence[Linear], heads: int) -> "torch.Tensor":
    """Return the magnitude of each head of an attention module: of its values times of its outputs."""
    by_role = {own.role: own for own in projections}
    return _rows(tensors, by_role["value"], heads) * _columns(tensors, by_role["output"], heads)


def _of_width(heads: "torch.Tensor", width: int) -> "torch.Tensor":
    """Return the places of heads in a dimension that has so many numbers for each."""
    import torch

    return (heads[:, None] * width + torch.arange(width)).flatten()


def _largest(importance: "torch.Tensor", left: int) -> "torch.Tensor":
    """Return the places of the largest numbers, in their order; the first of equal ones."""
    import torch

    return torch.argsort(importance, descending=True, stable=True)[:left].sort().values


def _rows(tensors: Tensors, linear: Linear, parts: int) -> "torch.Tensor":
    """Return the norm of the weights and biases of each of so many equal parts of a layer's outputs."""
    import torch

    weight = tensors[_in_file(tensors, f"{linear.module}.weight")].double()
    if linear.bias:
        bias = tensors[_in_file(tensors, f"{linear.module}.bias")].double()
        weight = torch.cat([weight, bias[:, None]], dim=1)
    return weight.reshape(parts, -1).norm(dim=1)


def _columns(tensors: Tensors, linear: Linear, parts: int) -> "torch.Tensor":
    """Return the norm of the weights of each of so many equal parts of a layer's inputs."""
    return tensors[_in_file(tensors, f"{linear.module}.weight")].double().T.reshape(parts, -1).norm(dim=1)


def _keep_outputs(tensors: Tensors, linear: Linear, kept: "torch.Tensor") -> None:
    for part in ("weight", "bias") if linear.bias else ("weight",):
        name = _in_file(tensors, f"{linear.module}.{part}")
        tensors[name] = tensors[name].index_select(0, kept)


def _keep_inputs(tensors: Tensors, linear: Linear, kept: "torch.Tensor") -> None:
    name = _in_file(tensors, f"{linear.module}.weight")
    tensors[name] = tensors[name].index_select(1, kept)


def _in_file(tensors: Mapping[str, Any], name: str) -> str:
    """Return the name that a weight has in a file, which may lack that of the whole model at its beginning."""
    return name if name in tensors else name.removeprefix("model.")
