"""Base models that are larger than the device: their layers lie in main memory or on disk, and visit it one at a time.

Embeddings, the output projection and everything that a method adds stay on the device. Before a layer runs, a hook of
accelerate puts its weights there, and takes them away again when it has run. On disk they are the model's own
safetensors files, mapped into memory, so that nothing is copied and nothing stays resident.

In training a layer runs again for the gradient, with its weights (gradient checkpointing, Chen et al. 2016,
arXiv 1604.06174): otherwise those of all layers would be kept until the gradient has passed them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_submodules
from safetensors import safe_open
from torch import nn
from torch.utils.checkpoint import checkpoint

from mtpeft.core.errors import UserError
from mtpeft.core.provenance import Offload
from mtpeft.models.families import family_of_config
from mtpeft.models.weights import Tensor

META = torch.device("meta")


@dataclass(frozen=True)
class OffloadedWeight:
    """A weight of a layer, which is on no device while the layer does not run.

    Attributes:
        module: whose weight it is; what a method puts around it does not matter.
        name: of the weight in the module.
        read: returns it, in main memory.
        placeholder: stands for it meanwhile, with its shape and type.
    """

    module: nn.Module
    name: str
    read: Callable[[], torch.Tensor]
    placeholder: nn.Parameter

    def bring(self, device: torch.device) -> None:
        """Put the weight on a device."""
        weight = self.read().to(device, self.placeholder.dtype)
        self.module._parameters[self.name] = nn.Parameter(weight, requires_grad=False)

    def take_away(self) -> None:
        """Leave the placeholder."""
        self.module._parameters[self.name] = self.placeholder


class LayerHook(ModelHook):
    """Has the weights of a layer on a device while it runs."""

    def __init__(self, weights: Sequence[OffloadedWeight], device: torch.device) -> None:
        self.weights, self.device = weights, device
        self.is_held = False

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Bring the weights, unless they are held."""
        if not self.is_held:
            self.bring(self.device)
        return args, kwargs

    def post_forward(self, module: nn.Module, output: Any) -> Any:
        """Take the weights away, unless they are held."""
        if not self.is_held:
            self.take_away()
        return output

    def bring(self, device: torch.device) -> None:
        """Put all weights of the layer on a device."""
        for weight in self.weights:
            weight.bring(device)

    def take_away(self) -> None:
        """Leave their placeholders."""
        for weight in self.weights:
            weight.take_away()


def loading_map(offload: Offload, layers: Sequence[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `from_pretrained` that leave layers on disk; none where they are read into memory.

    Args:
        offload: where the layers lie.
        layers: their names.
        config: keys of the model's config.json.
    """
    if offload != "disk":
        return {}
    from transformers import AutoConfig

    with torch.device("meta"):
        model = family_of_config(config).task.auto_model().from_config(AutoConfig.for_model(**config))
    holders = {".".join(name.split(".")[:depth]) for name in layers for depth in range(name.count(".") + 1)}
    parts = (f"{name}.{part}" if name else part for name in holders for part in _parts(model.get_submodule(name)))
    resident = (name for name in parts if name not in {*holders, *layers})
    return {"device_map": {**dict.fromkeys(resident, "cpu"), **dict.fromkeys(layers, "disk")}}


def _parts(module: nn.Module) -> Iterator[str]:
    """Yield the names of a module's own modules, parameters and buffers."""
    own = (module.named_children(), module.named_parameters(recurse=False), module.named_buffers(recurse=False))
    yield from (name for parts in own for name, _ in parts)


def offload_layers(
    model: nn.Module, layers: Iterable[str], *, heads: Mapping[str, Tensor], device: torch.device
) -> None:
    """Take the weights of layers away, each until it runs.

    Args:
        model: with its weights in main memory, or with these layers left on disk.
        layers: their names.
        heads: headers of the tensors in the model's files, by name.
        device: where the layers run.
    """
    # Transformers has had accelerate put hooks of its own on what is on disk, which peft would take off and put back.
    remove_hook_from_submodules(model)
    model.__dict__.pop("hf_device_map", None)
    for name in layers:
        layer = model.get_submodule(name)
        weights = [
            _offloaded(module, own, f"{name}.{prefix}.{own}" if prefix else f"{name}.{own}", heads)
            for prefix, module in layer.named_modules()
            for own in module._parameters
            if module._parameters[own] is not None
        ]
        hook = LayerHook(weights, device)
        add_hook_to_module(layer, hook)
        layer.forward = _recomputed(layer, layer.forward)
        hook.take_away()


def _recomputed(layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a forward function of a layer that runs once more for the gradient.

    Transformers' own checkpoints lie inside of the hook, so that the second run would have no weights.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        if layer.training and torch.is_grad_enabled():
            return checkpoint(forward, *args, use_reentrant=False, **kwargs)
        return forward(*args, **kwargs)

    return run


def _offloaded(module: nn.Module, name: str, full: str, heads: Mapping[str, Tensor]) -> OffloadedWeight:
    held = module._parameters[name]
    placeholder = nn.Parameter(torch.empty(held.shape, dtype=held.dtype, device=META), requires_grad=False)
    if held.device != META:
        weight = held.detach()
        return OffloadedWeight(module, name, lambda: weight, placeholder)
    key = full if full in heads else full.removeprefix("model.")
    file = heads[key].file
    return OffloadedWeight(module, name, lambda: _mapped(file, key), placeholder)


def _mapped(file: Path, name: str) -> torch.Tensor:
    """Return a tensor of a file, of which only what is read is brought into memory."""
    with safe_open(file, framework="pt") as stream:
        return stream.get_tensor(name)


def is_offloaded(model: nn.Module) -> bool:
    """Return whether layers of a model have their weights elsewhere."""
    return any(True for _ in _hooks(model))


@contextmanager
def in_main_memory(model: nn.Module) -> Iterator[None]:
    """Have the weights of all layers of a model in main memory, where they are elsewhere, while this is open.

    A method that is put into a model may look at them, or run the model. Those on disk are mapped, so only what is
    looked at is read.
    """
    for hook in (hooks := list(_hooks(model))):
        hook.bring(torch.device("cpu"))
        hook.is_held = True
    try:
        yield
    finally:
        for hook in hooks:
            hook.is_held = False
            hook.take_away()


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """Move a model to a device, but for the layers that are offloaded.

    Raises:
        UserError: a method needs weights that are offloaded outside of their layers.
    """
    hooks = list(_hooks(model))
    if not hooks:
        return model.to(device)
    placeholders = {id(weight.placeholder) for hook in hooks for weight in hook.weights}
    for module in model.modules():
        for name, own in module._parameters.items():
            if own is not None and own.device == META and id(own) not in placeholders:
                raise UserError(
                    f"What this method adds has no values for '{name}', since 'offload' keeps the base model's weights "
                    "away; take 'offload' out of the model's entry."
                )
            if own is not None and own.device != META:
                own.data = own.data.to(device)
        for name, own in module._buffers.items():
            if own is not None:
                module._buffers[name] = own.to(device)
    return model


def _hooks(model: nn.Module) -> Iterator[LayerHook]:
    for module in model.modules():
        if isinstance(hook := getattr(module, "_hf_hook", None), LayerHook):
            yield hook
