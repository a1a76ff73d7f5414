"""Prefix tuning as a peft tuner: trained keys and values before those of every attention (Li & Liang 2021).

Peft's own prefix tuning fills the decoder's cache: it leaves the encoder and the cross-attention alone, and on
encoder-decoder models half of its parameters reach no layer. Here each attention module is wrapped, and the prefix is
put in between the module's own projections and the attention function that the model uses, behind the cache.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.mbart.modeling_mbart import eager_attention_forward

from mtpeft.tuners.types import TunerType

ATTENTION = "mtpeft_prefix"
"""Name of our attention function among those of transformers."""
SUPPORTED = ("eager", "sdpa")


@dataclass
class PrefixConfig(PeftConfig):
    """Which attention modules get a prefix, and how long each of them is."""

    length: int = field(default=16, metadata={"help": "Keys and values of a prefix where the pattern names none."})
    length_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Length by module name."})
    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Attention modules."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Modules to leave alone."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole beside them."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = TunerType.PREFIX


@dataclass(frozen=True)
class Prefix:
    """Keys and values, (1, heads, length, width of a head), and the attention function that they are meant for."""

    keys: torch.Tensor
    values: torch.Tensor
    implementation: str


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    prefix: Prefix,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attention of (batch, heads, queries, width) over the prefix and what is behind it; the prefix is never masked."""
    queries, length = query.shape[2], prefix.keys.shape[2]
    if attention_mask is None and module.is_causal and queries > 1:
        # No mask stands for the usual triangle, which would hide a part of the prefix.
        seen = torch.ones(queries, key.shape[2], dtype=torch.bool, device=key.device)
        attention_mask = seen.tril(key.shape[2] - queries)[None, None]
    if attention_mask is not None:
        attention_mask = functional.pad(attention_mask, (length, 0), value=float(attention_mask.dtype == torch.bool))
    keys, values = (
        torch.cat([before.to(own.dtype).expand(own.shape[0], -1, -1, -1), own], dim=2)
        for before, own in ((prefix.keys, key), (prefix.values, value))
    )
    function = ALL_ATTENTION_FUNCTIONS.get_interface(prefix.implementation, eager_attention_forward)
    return function(module, query, keys, values, attention_mask, **options)


AttentionInterface.register(ATTENTION, attend)


class PrefixLayer(nn.Module, BaseTunerLayer):
    """An attention module that also attends to the prefix of the active adapter."""

    adapter_layer_names = ("prefix_keys", "prefix_values")
    other_param_names = ()

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.prefix_keys = nn.ParameterDict()
        self.prefix_values = nn.ParameterDict()
        self._disable_adapters = False
        self._active_adapter = adapter_name
        self.merged_adapters: list[str] = []

    def add_adapter(self, adapter_name: str, *, length: int) -> None:
        """Add a prefix of small random keys and of values that are zero, (length, d_model) each."""
        weight = self.base_layer.k_proj.weight
        shape = (length, weight.shape[0])
        keys = torch.randn(shape, device="cpu" if weight.device.type == "meta" else weight.device)
        self.prefix_keys[adapter_name] = nn.Parameter(0.02 * keys)
        self.prefix_values[adapter_name] = nn.Parameter(torch.zeros_like(keys))

    def forward(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the attention module returns, its hidden states of shape (batch, length, d_model) first."""
        active = [name for name in self.active_adapters if name in self.prefix_keys]
        if self.disable_adapters or not active:
            return self.base_layer(*args, **kwargs)
        keys, values = (self._heads(piece[active[-1]]) for piece in (self.prefix_keys, self.prefix_values))
        with self._own_attention() as implementation:
            return self.base_layer(*args, prefix=Prefix(keys, values, implementation), **kwargs)

    def _heads(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.view(len(vectors), self.base_layer.num_heads, -1).transpose(0, 1)[None]

    @contextmanager
    def _own_attention(self) -> Iterator[str]:
        """Let the module call `attend`; yields the name of the function that it calls otherwise."""
        config = self.base_layer.config
        implementation = config._attn_implementation
        if implementation not in SUPPORTED:
            raise ValueError(f"Prefixes work with attention {' or '.join(SUPPORTED)}, not with '{implementation}'.")
        self.base_layer.config = SimpleNamespace(_attn_implementation=ATTENTION)
        try:
            yield implementation
        finally:
            self.base_layer.config = config

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a prefix is no change of any weight of the base."""
        raise ValueError("A prefix can't be merged into the base model; keep it as a module.")

    def __getattr__(self, name: str) -> Any:
        # The parent module may read attributes of its attention modules.
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)


class PrefixModel(BaseTuner):
    """Puts prefixes into a model; all else is peft's."""

    prefix = "prefix_"
    tuner_layer_cls = PrefixLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - the name and type that peft reads

    def _create_and_replace(
        self,
        peft_config: PrefixConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        layer = target if isinstance(target, PrefixLayer) else PrefixLayer(target, adapter_name)
        layer.add_adapter(adapter_name, length=peft_config.length_pattern.get(current_key, peft_config.length))
        layer.set_adapter(layer.active_adapters, inference_mode=peft_config.inference_mode)
        if layer is not target:
            self._replace_module(parent, target_name, layer, target)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        if isinstance(new_module, PrefixLayer):
            super()._replace_module(parent, child_name, new_module, child)
        else:  # When unloading, peft's version copies `.weight`, which an attention module does not have.
            setattr(parent, child_name, new_module)
