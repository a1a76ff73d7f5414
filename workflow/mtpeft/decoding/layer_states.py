"""The hidden states that each layer hands to the next one, as a forward pass makes them.

What stands in a layer's place may be a wrapper around it, whose output is what the next layer reads: a bottleneck
adapter after the layer is such a one. Transformers' `output_hidden_states` would give what the layer itself returns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

WRAPPED = "base_layer"
"""Name under which wrappers hold what they wrap."""
Take = Callable[[str, torch.Tensor], None]
"""Gets the name of a layer and its hidden states, (batch, length, d_model)."""


def in_place_of(model: nn.Module, layers: Sequence[str]) -> Mapping[str, nn.Module]:
    """The outermost module that stands in the place of each layer, whatever it is wrapped in.

    Raises:
        LookupError: the model has no such layer.
    """
    found: dict[str, nn.Module] = {}
    # Modules come from the outside in, so the first of a name is the outermost.
    for name, module in model.named_modules():
        plain = "." + ".".join(part for part in name.split(".") if part != WRAPPED)
        for layer in layers:
            if layer not in found and plain.endswith(f".{layer}"):
                found[layer] = module
    if lacking := [layer for layer in layers if layer not in found]:
        raise LookupError(f"the model has no module {lacking[0]}")
    return found


@contextmanager
def watching(model: nn.Module, layers: Sequence[str], take: Take) -> Iterator[None]:
    """Hand the hidden states that come out of each layer to `take` while this is open."""

    def hook(layer: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: take(layer, output[0] if isinstance(output, tuple) else output)

    handles = [module.register_forward_hook(hook(layer)) for layer, module in in_place_of(model, layers).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
