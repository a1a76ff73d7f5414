"""The adapter of BitFit: a trained bias in the place of a module's own (Ben Zaken et al. 2021).

The trained bias starts as a copy: an untrained one changes nothing. Peft's own `bias` options train the base model's
biases in place, so that the base is lost, and its BEFT knows no layer norms.
"""

from dataclasses import dataclass

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn
from torch.nn import functional

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.models.precision import is_packed


@dataclass
class BitFitConfig(AdapterConfig):
    """Configuration of BitFit: whose biases are trained."""

    adapter_type = "BITFIT"


class BitFitLayer(WrapperLayer):
    """A linear layer or a layer norm with the bias of the active adapter."""

    adapter_layer_names = ("bitfit_bias",)

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.bitfit_bias = nn.ParameterDict()

    def add_adapter(self, adapter_name: str) -> None:
        """Add a bias that is the module's own until it is trained."""
        self.bitfit_bias[adapter_name] = nn.Parameter(self.base_layer.bias.detach().to(torch.float32, copy=True))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the module with its trained bias, if one is active."""
        active = self.active_in(self.bitfit_bias)
        if self.disable_adapters or self.merged or not active:
            return self.base_layer(hidden)
        trained = self.bitfit_bias[active[-1]]
        if is_packed(self.base_layer):
            return self.base_layer(hidden) + (trained - self.base_layer.bias).to(hidden.dtype)
        bias = trained.to(self.base_layer.weight.dtype)
        if isinstance(self.base_layer, nn.LayerNorm):
            shape, epsilon = self.base_layer.normalized_shape, self.base_layer.eps
            return functional.layer_norm(hidden, shape, self.base_layer.weight, bias, epsilon)
        return functional.linear(hidden, self.base_layer.weight, bias)

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write the trained bias into the base model."""
        for name in check_adapters_to_merge(self, adapter_names):
            self.base_layer.bias.copy_(self.bitfit_bias[name])
            self.merged_adapters.append(name)


class BitFitModel(WrappingAdapter):
    """Puts trained biases into a model."""

    prefix = "bitfit_"
    tuner_layer_cls = wrapper = BitFitLayer

    def add_to(self, layer: BitFitLayer, config: BitFitConfig, adapter_name: str, *, module: str) -> None:
        """Add a bias to the wrapper of a linear layer or a layer norm.

        Raises:
            ValueError: the module has no bias that could be trained.
        """
        base = layer.base_layer
        if not isinstance(base, nn.Linear | nn.LayerNorm) or base.bias is None:
            raise ValueError(f"target_modules names '{module}', which is no linear layer or norm with a bias.")
        layer.add_adapter(adapter_name)


register(BitFitConfig, BitFitModel)
