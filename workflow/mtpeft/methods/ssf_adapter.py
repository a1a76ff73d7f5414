"""The adapter of scale and shift: scale * module(x) + shift (SSF, Lian et al. 2022, arXiv 2210.08823)."""

from dataclasses import dataclass

import torch
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.models.families.module_names import is_key_projection


@dataclass
class SsfConfig(AdapterConfig):
    """Configuration of SSF: whose outputs are scaled and shifted."""

    adapter_type = "SSF"


class SsfLayer(WrapperLayer):
    """A linear layer or a layer norm with the scale and the shift of the active adapters."""

    adapter_layer_names = ("ssf_scale", "ssf_shift")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.ssf_scale = nn.ParameterDict()
        self.ssf_shift = nn.ParameterDict()

    def add_adapter(self, adapter_name: str, *, shift: bool) -> None:
        """Add a scale of one and, if it is asked for, a shift of zero."""
        width, device = _outputs(self.base_layer), self.base_layer.weight.device
        self.ssf_scale[adapter_name] = nn.Parameter(torch.ones(width, device=device))
        if shift:
            self.ssf_shift[adapter_name] = nn.Parameter(torch.zeros(width, device=device))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the module, scaled and shifted by the active adapters in turn."""
        output = self.base_layer(hidden)
        if self.disable_adapters or self.merged:
            return output
        for name in self.active_in(self.ssf_scale):
            output = output * self.ssf_scale[name].to(output.dtype)
            if name in self.ssf_shift:
                output = output + self.ssf_shift[name].to(output.dtype)
        return output

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write scale and shift into the weight and the bias of the module."""
        weight, bias = self.base_layer.weight, getattr(self.base_layer, "bias", None)
        for name in check_adapters_to_merge(self, adapter_names):
            scale, beyond = self.ssf_scale[name], weight_beyond(self.base_layer)
            weight.add_(beyond).mul_(scale[:, None] if weight.dim() > 1 else scale).sub_(beyond)
            if bias is not None:
                bias.mul_(scale)
            if name in self.ssf_shift:
                bias.add_(self.ssf_shift[name])
            self.merged_adapters.append(name)


def weight_beyond(module: nn.Module) -> float:
    """Return what a norm adds to its weight before it multiplies by it: 1 in Gemma, and 0 in all others."""
    if isinstance(module, nn.Linear | nn.LayerNorm):
        return 0.0
    # A row of ones has a root mean square of one, so that the norm puts out what it multiplies by.
    factors = module(torch.ones_like(module.weight)[None])[0]
    return float((factors - module.weight).mean().round())


def _outputs(module: nn.Module) -> int:
    return module.out_features if isinstance(module, nn.Linear) else len(module.weight)


class SsfModel(WrappingAdapter):
    """Puts scales and shifts into a model."""

    prefix = "ssf_"
    tuner_layer_cls = wrapper = SsfLayer

    def add_to(self, layer: SsfLayer, config: SsfConfig, adapter_name: str, *, module: str) -> None:
        """Add a scale, and a shift where there is a bias that it can be merged into."""
        bias = getattr(layer.base_layer, "bias", None)
        layer.add_adapter(adapter_name, shift=bias is not None and not is_key_projection(module))


register(SsfConfig, SsfModel)
