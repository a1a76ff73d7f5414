"""Bottleneck adapters as a peft tuner: after a whole layer, h + up(act(down(norm(h)))) (Bapna & Firat 2019).

Every adapter has a bottleneck of its own, so that a budget is met exactly. The up-projection starts at zero: an
untrained adapter is the identity. The tuner leans on private parts of `peft.tuners.tuners_utils` (`_replace_module`,
`_create_and_replace`), so peft is pinned exactly.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn
from transformers.activations import ACT2FN

from mtpeft.tuners.embeddings import EmbeddingLayer, is_embedding, train_embeddings
from mtpeft.tuners.types import TunerType


@dataclass
class BottleneckConfig(PeftConfig):
    """Where the adapters go, and how wide each of them is."""

    bottleneck: int = field(default=64, metadata={"help": "Inner width where the pattern names none."})
    bottleneck_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Inner width by module name."})
    activation: str = field(default="relu", metadata={"help": "Between down- and up-projection."})
    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Layers to wrap."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Layers to leave alone."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole beside them."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = TunerType.BOTTLENECK


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A transformer layer followed by its adapters, of which the active ones are applied in turn."""

    # One flat ModuleDict per piece, as LoRA has: transformers' `load_adapter` can't name parameters that lie deeper.
    adapter_layer_names = ("bottleneck_norm", "bottleneck_down", "bottleneck_up")
    other_param_names = ()

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_norm = nn.ModuleDict()
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self.activations: dict[str, nn.Module] = {}
        self._disable_adapters = False
        self._active_adapter = adapter_name
        self.merged_adapters: list[str] = []

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

    def __getattr__(self, name: str) -> Any:
        # The parent module reads attributes of its layers, such as `embed_dim`.
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)


class BottleneckModel(BaseTuner):
    """Puts adapters into a model; all else is peft's."""

    prefix = "bottleneck_"
    tuner_layer_cls = (BottleneckLayer, EmbeddingLayer)
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads

    def _prepare_adapter_config(self, peft_config: BottleneckConfig, model_config: dict[str, Any]) -> BottleneckConfig:
        if not peft_config.target_modules:
            raise ValueError("target_modules must name the layers that get an adapter.")
        return peft_config

    def _create_and_replace(
        self,
        peft_config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        if is_embedding(target):
            train_embeddings(self.model, adapter_name, inference_mode=peft_config.inference_mode)
            return
        layer = target if isinstance(target, BottleneckLayer) else BottleneckLayer(target, adapter_name)
        layer.add_adapter(
            adapter_name,
            d_model=self.get_model_config(self.model)["d_model"],
            bottleneck=peft_config.bottleneck_pattern.get(current_key, peft_config.bottleneck),
            activation=peft_config.activation,
        )
        layer.set_adapter(layer.active_adapters, inference_mode=peft_config.inference_mode)
        if layer is not target:
            if adapter_name not in self.active_adapters:
                layer.requires_grad_(False)
            self._replace_module(parent, target_name, layer, target)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        if isinstance(new_module, BottleneckLayer):
            super()._replace_module(parent, child_name, new_module, child)
        else:  # When unloading, peft's version copies `.weight`, which a whole layer does not have.
            setattr(parent, child_name, new_module)
