"""The adapter of copies: linear layers and layer norms, or their weights or biases alone, are trained as copies.

Peft's LN_TUNING copies any module, too, but with the bias of the keys, which can receive no gradient, and in the
floats of the base, in which small updates are lost.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn
from torch.func import functional_call

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.models.families.module_names import is_key_projection
from mtpeft.models.precision import is_packed
from mtpeft.models.zeros import keep_zeros_of, keeps_zeros


@dataclass
class CopiesConfig(AdapterConfig):
    """Configuration of trained copies: which modules are copied, and what of them."""

    adapter_type = "COPIES"

    pieces: dict[str, list[str]] = field(
        default_factory=dict,
        metadata={"help": "Of weight and bias those that are trained, by module name; both where none is named."},
    )


class CopiedLayer(WrapperLayer):
    """A module with the weights of the active adapter, in 32-bit floats."""

    adapter_layer_names = ("copies_weight", "copies_bias")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.copies_weight = nn.ParameterDict()
        self.copies_bias = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, pieces: Collection[str]) -> None:
        """Add weights that are the module's own until they are trained."""
        own = dict(self.base_layer.named_parameters())
        for name, copies in (("weight", self.copies_weight), ("bias", self.copies_bias)):
            if name in own and name in pieces:
                copies[adapter_name] = nn.Parameter(own[name].detach().to(torch.float32, copy=True))
                if name == "weight" and keeps_zeros(self.base_layer):
                    keep_zeros_of(copies[adapter_name])

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the module with its trained weights, if any are active."""
        active = [name for name in self.active_adapters if self._trained(name)]
        if self.disable_adapters or self.merged or not active:
            return self.base_layer(hidden)
        if is_packed(self.base_layer):
            return self.base_layer(hidden) + (self.copies_bias[active[-1]] - self.base_layer.bias).to(hidden.dtype)
        trained = {key: weight.to(self.base_layer.weight.dtype) for key, weight in self._trained(active[-1]).items()}
        return functional_call(self.base_layer, trained, (hidden,))

    def _trained(self, name: str) -> dict[str, nn.Parameter]:
        pieces = {"weight": self.copies_weight, "bias": self.copies_bias}
        return {key: piece[name] for key, piece in pieces.items() if name in piece}

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write the trained weights into the base model."""
        for name in check_adapters_to_merge(self, adapter_names):
            for key, trained in self._trained(name).items():
                getattr(self.base_layer, key).copy_(trained)
            self.merged_adapters.append(name)


class CopiesModel(WrappingAdapter):
    """Puts copies into a model."""

    prefix = "copies_"
    tuner_layer_cls = wrapper = CopiedLayer

    def add_to(self, layer: CopiedLayer, config: CopiesConfig, adapter_name: str, *, module: str) -> None:
        """Add a copy of a linear layer or a layer norm."""
        both = ["weight"] if is_key_projection(module) else ["weight", "bias"]
        layer.add_adapter(adapter_name, config.pieces.get(module, both))


register(CopiesConfig, CopiesModel)
