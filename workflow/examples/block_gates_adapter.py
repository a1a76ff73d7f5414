"""The adapter of the example in block_gates.py: its configuration, a wrapper, and what puts it into a model."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register


@dataclass
class BlockGatesConfig(AdapterConfig):
    """The configuration of peft that names the modules with a gate."""

    adapter_type = "BLOCK_GATES"


class GatedLayer(WrapperLayer):
    """A module whose output is multiplied by the gates of the active adapters."""

    adapter_layer_names = ("gates_factor",)

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.gates_factor = nn.ParameterDict()

    def add_adapter(self, adapter_name: str) -> None:
        """Add a gate that changes nothing until it is trained."""
        device = next(self.base_layer.parameters()).device
        self.gates_factor[adapter_name] = nn.Parameter(torch.ones(1, device=device))

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the module's output, multiplied by its gates."""
        output = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return output
        for name in self.active_in(self.gates_factor):
            output = output * self.gates_factor[name].to(output.dtype)
        return output

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse, to keep the example short."""
        raise ValueError("A gate can't be merged into the base model; keep it as a module.")


class BlockGatesModel(WrappingAdapter):
    """Puts gates into a model."""

    prefix = "gates_"
    tuner_layer_cls = wrapper = GatedLayer

    def add_to(self, layer: GatedLayer, config: BlockGatesConfig, adapter_name: str, *, module: str) -> None:
        """Add a gate to the wrapper of a module."""
        layer.add_adapter(adapter_name)


register(BlockGatesConfig, BlockGatesModel)
