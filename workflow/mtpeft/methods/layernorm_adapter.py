"""The adapter of layer norm tuning beside a base in 16-bit floats (Zhao et al. 2023, arXiv 2312.11420).

Peft's LN_TUNING trains a copy in the floats of the base, in which small updates are lost, and is the one tuner whose
weights peft does not turn into 32-bit floats. Here the copy has 32 bits and computes in the floats of its input.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft import LNTuningConfig
from peft.tuners.ln_tuning import LNTuningModel
from peft.tuners.ln_tuning.layer import LNTuningLayer
from torch import nn
from torch.func import functional_call

from mtpeft.methods.base_adapter import AdapterModel, register


@dataclass
class WideNormConfig(LNTuningConfig):
    """Peft's configuration of layer norm tuning."""

    adapter_type = "WIDE_NORM"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = self.adapter_type


class WideNormLayer(LNTuningLayer):
    """A layer norm with a copy in 32-bit floats that is trained in its place."""

    def update_layer(self, layer: nn.Module, adapter_name: str, **options: Any) -> None:
        """Add a copy that is the layer norm itself until it is trained."""
        super().update_layer(layer, adapter_name, **options)
        self.ln_tuning_layers[adapter_name].float()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the layer norm with its trained weights, if any are active."""
        active = [name for name in self.active_adapters if name in self.ln_tuning_layers]
        own = self.disable_adapters or self.merged or not active
        norm = self.base_layer if own else self.ln_tuning_layers[active[-1]]
        weights = {name: weight.to(hidden.dtype) for name, weight in norm.named_parameters()}
        return functional_call(norm, weights, (hidden,))


class WideNormModel(AdapterModel, LNTuningModel):
    """Puts the copies into a model."""

    tuner_layer_cls = WideNormLayer

    def insert(
        self, target: nn.Module, config: WideNormConfig, adapter_name: str, *, module: str, parent: nn.Module, name: str
    ) -> bool:
        """Put a copy in the place of a layer norm."""
        if isinstance(target, WideNormLayer):
            target.update_layer(target.base_layer, adapter_name, config=config)
            return True
        layer = WideNormLayer(target, adapter_name, config=config)
        if adapter_name != self.active_adapter:
            layer.requires_grad_(False)
        self._replace_module(parent, name, layer, target)
        return True


register(WideNormConfig, WideNormModel)
