"""BitFit as a peft tuner: a trained bias in the place of a module's own (Ben Zaken et al. 2021).

The trained bias starts as a copy: an untrained one changes nothing. Peft's own `bias` options train the base model's
biases in place, so that the base is lost, and its BEFT knows no layer norms.
"""

from dataclasses import dataclass, field

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer, check_adapters_to_merge
from torch import nn
from torch.nn import functional

from mtpeft.tuners.types import TunerType


@dataclass
class BitFitConfig(PeftConfig):
    """Whose biases are trained."""

    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules with a bias."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole beside them."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = TunerType.BITFIT


class BitFitLayer(nn.Module, BaseTunerLayer):
    """A linear layer or a layer norm with the bias of the active adapter."""

    adapter_layer_names = ("bitfit_bias",)
    other_param_names = ()

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bitfit_bias = nn.ParameterDict()
        self._disable_adapters = False
        self._active_adapter = adapter_name
        self.merged_adapters: list[str] = []

    def add_adapter(self, adapter_name: str) -> None:
        """Add a bias that is the module's own until it is trained."""
        self.bitfit_bias[adapter_name] = nn.Parameter(self.base_layer.bias.detach().clone())

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the module computes with its trained bias, if one is active."""
        active = [name for name in self.active_adapters if name in self.bitfit_bias]
        if self.disable_adapters or self.merged or not active:
            return self.base_layer(hidden)
        bias = self.bitfit_bias[active[-1]].to(self.base_layer.weight.dtype)
        if isinstance(self.base_layer, nn.LayerNorm):
            shape, epsilon = self.base_layer.normalized_shape, self.base_layer.eps
            return functional.layer_norm(hidden, shape, self.base_layer.weight, bias, epsilon)
        return functional.linear(hidden, self.base_layer.weight, bias)

    @torch.no_grad()
    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Write the trained bias into the base."""
        for name in check_adapters_to_merge(self, adapter_names):
            self.base_layer.bias.copy_(self.bitfit_bias[name])
            self.merged_adapters.append(name)


class BitFitModel(BaseTuner):
    """Puts trained biases into a model; all else is peft's."""

    prefix = "bitfit_"
    tuner_layer_cls = BitFitLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads

    def _create_and_replace(
        self,
        peft_config: BitFitConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        known = isinstance(target, BitFitLayer)
        if not known and not (isinstance(target, nn.Linear | nn.LayerNorm) and target.bias is not None):
            raise ValueError(f"target_modules names '{current_key}', which is no linear layer or norm with a bias.")
        layer = target if known else BitFitLayer(target, adapter_name)
        layer.add_adapter(adapter_name)
        layer.set_adapter(layer.active_adapters, inference_mode=peft_config.inference_mode)
        if not known:
            self._replace_module(parent, target_name, layer, target)
