"""The tuner of the example in block_gates.py, as peft has tuners: a wrapper, its configuration, and what inserts it."""

import enum
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mtpeft.methods.base_adapter import TargetedConfig, WrapperLayer, WrappingTuner, register


class ExampleType(str, enum.Enum):  # noqa: UP042 - peft compares with plain strings and formats the member itself
    """Value of `peft_type` in the files of the example."""

    BLOCK_GATES = "BLOCK_GATES"


@dataclass
class BlockGatesConfig(TargetedConfig):
    """Which modules have a gate."""

    tuner_type = ExampleType.BLOCK_GATES


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
        """What the module computes, multiplied by its gates."""
        output = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return output
        for name in filter(self.gates_factor.__contains__, self.active_adapters):
            output = output * self.gates_factor[name].to(output.dtype)
        return output

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse, to keep the example short."""
        raise ValueError("A gate can't be merged into the base model; keep it as a module.")


class BlockGatesModel(WrappingTuner):
    """Puts gates into a model; all else is peft's."""

    prefix = "gates_"
    tuner_layer_cls = wrapper = GatedLayer

    def add_to(self, layer: GatedLayer, config: BlockGatesConfig, adapter_name: str, *, module: str) -> None:
        """Add a gate to the wrapper of a module."""
        layer.add_adapter(adapter_name)


register(BlockGatesConfig, BlockGatesModel)
