"""Bottleneck adapters as a peft tuner: after a whole layer, h + up(act(down(norm(h)))) (Bapna & Firat 2019).

Every adapter has a bottleneck of its own, so that a budget is met exactly. The up-projection starts at zero: an
untrained adapter is the identity.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers.activations import ACT2FN

from mtpeft.tuners.base import TargetedConfig, WrapperLayer, WrappingTuner
from mtpeft.tuners.embeddings import EmbeddingLayer, is_embedding, train_embeddings
from mtpeft.tuners.types import TunerType


@dataclass
class BottleneckConfig(TargetedConfig):
    """Where the adapters go, and how wide each of them is."""

    tuner_type = TunerType.BOTTLENECK

    bottleneck: int = field(default=64, metadata={"help": "Inner width where the pattern names none."})
    bottleneck_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Inner width by module name."})
    activation: str = field(default="relu", metadata={"help": "Between down- and up-projection."})


class BottleneckLayer(WrapperLayer):
    """A transformer layer followed by its adapters, of which the active ones are applied in turn."""

    # One flat ModuleDict per piece, as LoRA has: transformers' `load_adapter` can't name parameters that lie deeper.
    adapter_layer_names = ("bottleneck_norm", "bottleneck_down", "bottleneck_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.bottleneck_norm = nn.ModuleDict()
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self.activations: dict[str, nn.Module] = {}

    def add_adapter(self, adapter_name: str, *, d_model: int, bottleneck: int, activation: str) -> None:
        """Add an adapter that is the identity until it is trained."""
        reference = next(self.base_layer.parameters())
        down, up = nn.Linear(d_model, bottleneck), nn.Linear(bottleneck, d_model)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        pieces = {"bottleneck_norm": nn.LayerNorm(d_model), "bottleneck_down": down, "bottleneck_up": up}
        for name, piece in pieces.items():
            # With low_cpu_mem_usage peft builds on the meta device and fills in the saved weights afterwards.
            if next(piece.parameters()).device.type != "meta":
                piece.to(device=reference.device)
            getattr(self, name)[adapter_name] = piece
        self.activations[adapter_name] = ACT2FN[activation]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer returns, its hidden states adapted: (batch, length, d_model)."""
        output = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return output
        hidden = output[0] if isinstance(output, tuple) else output
        for name in self.active_adapters:
            if name in self.bottleneck_down:
                hidden = self._adapt(hidden, name)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    def _adapt(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        normed = self.bottleneck_norm[name](hidden.to(self.bottleneck_norm[name].weight.dtype))
        inner = self.activations[name](self.bottleneck_down[name](normed))
        return hidden + self.bottleneck_up[name](inner).to(hidden.dtype)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a non-linear adapter is no change of any weight of the base."""
        raise ValueError("A bottleneck adapter can't be merged into the base model; keep it as a module.")


class BottleneckModel(WrappingTuner):
    """Puts adapters into a model; all else is peft's."""

    prefix = "bottleneck_"
    tuner_layer_cls = (BottleneckLayer, EmbeddingLayer)
    wrapper = BottleneckLayer

    def add_to(self, layer: BottleneckLayer, config: BottleneckConfig, adapter_name: str, *, module: str) -> None:
        """Add an adapter of the width that the pattern names."""
        layer.add_adapter(
            adapter_name,
            d_model=self.get_model_config(self.model)["d_model"],
            bottleneck=config.bottleneck_pattern.get(module, config.bottleneck),
            activation=config.activation,
        )

    def _prepare_adapter_config(self, peft_config: BottleneckConfig, model_config: dict[str, Any]) -> BottleneckConfig:
        if not peft_config.target_modules:
            raise ValueError("target_modules must name the layers that get an adapter.")
        return peft_config

    def _create_and_replace(
        self, peft_config: BottleneckConfig, adapter_name: str, target: nn.Module, *place: Any, **options: Any
    ) -> None:
        if is_embedding(target):
            train_embeddings(self.model, adapter_name, inference_mode=peft_config.inference_mode)
        else:
            super()._create_and_replace(peft_config, adapter_name, target, *place, **options)
