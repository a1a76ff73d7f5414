"""The bottleneck adapter: behind a module, h + s * up(act(down(norm(h)))), or beside it, from its input.

Every adapter has a bottleneck of its own, so that a budget is met exactly. The up-projection starts at zero: an
untrained adapter is the identity. The papers differ in which modules have one; see `mtpeft.methods.adapter`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers.activations import ACT2FN

from mtpeft.methods.base_adapter import AdapterConfig, WrapperLayer, WrappingAdapter, register
from mtpeft.methods.embeddings_adapter import EmbeddingLayer, WithEmbeddings
from mtpeft.models.families import read_shape
from mtpeft.models.families.module_names import BART_NAMES


@dataclass
class BottleneckConfig(AdapterConfig):
    """Configuration of bottleneck adapters: where they are put, and how wide each of them is."""

    adapter_type = "BOTTLENECK"

    bottleneck: int = field(default=64, metadata={"help": "Inner width where the pattern names none."})
    bottleneck_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Inner width by module name."})
    activation: str = field(default="relu", metadata={"help": "Between down- and up-projection."})
    layer_norm: bool = field(default=True, metadata={"help": "A layer norm stands before the down-projection."})
    parallel: bool = field(default=False, metadata={"help": "Adapters read the input of their module."})
    scaling: float = field(default=1.0, metadata={"help": "Factor on what an adapter adds."})


class BottleneckLayer(WrapperLayer):
    """A module followed by its adapters, of which the active ones are applied in turn."""

    # One flat ModuleDict per piece, as LoRA has: transformers' `load_adapter` can't name parameters that lie deeper.
    adapter_layer_names = ("bottleneck_norm", "bottleneck_down", "bottleneck_up")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.bottleneck_norm = nn.ModuleDict()
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self.activations: dict[str, nn.Module] = {}
        self.scalings: dict[str, float] = {}

    def add_adapter(self, adapter_name: str, config: BottleneckConfig, *, d_model: int, bottleneck: int) -> None:
        """Add an adapter that is the identity until it is trained."""
        reference = next(self.base_layer.parameters())
        down, up = nn.Linear(d_model, bottleneck), nn.Linear(bottleneck, d_model)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        pieces: dict[str, nn.Module] = {"bottleneck_down": down, "bottleneck_up": up}
        if config.layer_norm:
            pieces["bottleneck_norm"] = nn.LayerNorm(d_model)
        for name, piece in pieces.items():
            # With low_cpu_mem_usage peft builds on the meta device and fills in the saved weights afterwards.
            if next(piece.parameters()).device.type != "meta":
                piece.to(device=reference.device)
            getattr(self, name)[adapter_name] = piece
        self.activations[adapter_name] = ACT2FN[config.activation]
        self.scalings[adapter_name] = config.scaling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module returns, with its hidden states (batch, length, d_model) adapted."""
        output = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return output
        hidden = output[0] if isinstance(output, tuple) else output
        hidden = self.adapted(hidden, self.active_in(self.bottleneck_down), args)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    def adapted(self, hidden: torch.Tensor, active: Sequence[str], args: tuple[Any, ...]) -> torch.Tensor:
        """Return the hidden states after the active adapters."""
        for name in active:
            hidden = hidden + self.change(hidden, name).to(hidden.dtype)
        return hidden

    def change(self, given: torch.Tensor, name: str) -> torch.Tensor:
        """Return what an adapter adds."""
        inner = given.to(self.bottleneck_down[name].weight.dtype)
        if name in self.bottleneck_norm:
            inner = self.bottleneck_norm[name](inner)
        inner = self.activations[name](self.bottleneck_down[name](inner))
        return self.scalings[name] * self.bottleneck_up[name](inner)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a non-linear adapter is no change of any weight of the base."""
        raise ValueError("A bottleneck adapter can't be merged into the base model; keep it as a module.")


class ParallelLayer(BottleneckLayer):
    """A feed-forward block with its adapters beside it, which read what the block reads.

    The block is a module of its own in T5. In the family of BART it is a chain of linear layers, of which the last one
    is wrapped and the first one, `reads`, tells what it was given.
    """

    def __init__(self, base_layer: nn.Module, adapter_name: str, *, reads: nn.Module | None) -> None:
        super().__init__(base_layer, adapter_name)
        self._given: torch.Tensor | None = None
        self._hook = reads.register_forward_pre_hook(self._remember) if reads is not None else None

    def _remember(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._given = args[0]

    def adapted(self, hidden: torch.Tensor, active: Sequence[str], args: tuple[Any, ...]) -> torch.Tensor:
        """Return what the block returns plus what its active adapters add."""
        given = args[0] if self._hook is None else self._given
        self._given = None
        for name in active:
            hidden = hidden + self.change(given, name).to(hidden.dtype)
        return hidden

    def removed(self) -> None:
        """Leave the block as it was, when the wrapper is taken away."""
        if self._hook is not None:
            self._hook.remove()


class BottleneckModel(WithEmbeddings, WrappingAdapter):
    """Puts bottleneck adapters into a model."""

    prefix = "bottleneck_"
    tuner_layer_cls = (BottleneckLayer, EmbeddingLayer)
    wrapper = BottleneckLayer

    def wrap(
        self, target: nn.Module, adapter_name: str, *, parent: nn.Module, config: BottleneckConfig, module: str
    ) -> WrapperLayer:
        """Return a wrapper for adapters behind the module or beside it."""
        if not config.parallel:
            return BottleneckLayer(target, adapter_name)
        return ParallelLayer(target, adapter_name, reads=getattr(parent, BART_NAMES.opening, None))

    def add_to(self, layer: BottleneckLayer, config: BottleneckConfig, adapter_name: str, *, module: str) -> None:
        """Add an adapter of the width that the pattern names."""
        layer.add_adapter(
            adapter_name,
            config,
            d_model=read_shape(self.get_model_config(self.model)).d_model,
            bottleneck=config.bottleneck_pattern.get(module, config.bottleneck),
        )

    def check_targets(self, modules: Sequence[str]) -> None:
        """Check that there are target modules.

        Raises:
            ValueError: there are none.
        """
        if not modules:
            raise ValueError("target_modules must name the modules that get an adapter.")


register(BottleneckConfig, BottleneckModel)
