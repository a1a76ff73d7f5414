"""The adapter of prefix tuning: trained keys and values before those of every attention (Li & Liang 2021).

Peft's own prefix tuning fills the decoder's cache: it leaves the encoder and the cross-attention alone, and on
encoder-decoder models half of its parameters reach no layer. Here each attention module is wrapped, and the prefix is
put in between the module's own projections and the attention function that the model uses, behind the cache.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from mtpeft.core import compat
from mtpeft.methods.base_adapter import AdapterConfig, NetworkLayer, WrappingAdapter, register
from mtpeft.models.attention import key_heads, key_projection
from mtpeft.models.families import task_of
from mtpeft.models.families.mbart import HUGGINGFACE_SPECIALS

ATTENTION = "mtpeft_prefix"
"""Name of our attention function among those of transformers."""
QUERIES = "mtpeft_queries"
"""Name of the attention function that remembers queries."""
SUPPORTED = ("eager", "sdpa")


@dataclass
class PrefixConfig(AdapterConfig):
    """Configuration of prefix tuning: which attention modules get a prefix, and how long each is."""

    adapter_type = "PREFIX"

    length: int = field(default=16, metadata={"help": "Keys and values of a prefix where the pattern names none."})
    length_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Length by module name."})
    network: int | None = field(default=None, metadata={"help": "Width of the network that makes a prefix, if any."})


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
    position_bias: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute attention of (batch, heads, queries, width) over the prefix, which is never masked, and all keys behind.

    T5's biases by distance, (1, heads, queries, keys), are nought for a prefix, which stands nowhere.
    """
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
    if position_bias is not None:
        options["position_bias"] = functional.pad(position_bias, (length, 0))
    function = ALL_ATTENTION_FUNCTIONS.get_interface(prefix.implementation, compat.eager_attention(module))
    return function(module, query, keys, values, attention_mask, **options)


AttentionInterface.register(ATTENTION, attend)


class PrefixLayer(NetworkLayer):
    """An attention module that also attends to the prefix of the active adapter."""

    adapter_layer_names = ("prefix_keys", "prefix_values", "prefix_network")

    def __init__(self, base_layer: nn.Module, adapter_name: str) -> None:
        super().__init__(base_layer, adapter_name)
        self.prefix_keys = nn.ParameterDict()
        self.prefix_values = nn.ParameterDict()
        self.prefix_network = nn.ModuleDict()

    def add_adapter(self, adapter_name: str, *, length: int, network: int | None = None) -> None:
        """Add a prefix of small random keys and of values that are zero, (length, all heads) each, or what makes it."""
        projection = key_projection(self.base_layer)
        width, device = projection.out_features, projection.weight.device
        if network is not None:
            made = PrefixNetwork(length, network, width)
            self.prefix_network[adapter_name] = made if device.type == "meta" else made.to(device)
            return
        keys = torch.randn((length, width), device="cpu" if device.type == "meta" else device)
        self.prefix_keys[adapter_name] = nn.Parameter(0.02 * keys)
        self.prefix_values[adapter_name] = nn.Parameter(torch.zeros_like(keys))

    def adapters(self) -> list[str]:
        """Return the names of the active adapters that this module has."""
        return [name for name in self.active_adapters if name in self.prefix_keys or name in self.prefix_network]

    def keys_and_values(self, adapter_name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of an adapter, (length, all heads) each."""
        if adapter_name in self.prefix_network:
            return self.prefix_network[adapter_name]()
        return self.prefix_keys[adapter_name], self.prefix_values[adapter_name]

    @torch.no_grad()
    def start_at(self, adapter_name: str, *, key: torch.Tensor, own: float) -> None:
        """Set the keys near one key, (all heads), each off it by a random direction of this size; values stay zero."""
        if adapter_name in self.prefix_network:
            self.prefix_network[adapter_name].start_at(key=key, own=own)
            return
        keys = self.prefix_keys[adapter_name]
        keys.copy_(key + own * torch.randn_like(keys))

    def fold(self) -> None:
        """Replace the networks by the prefixes that they make."""
        for name in list(self.prefix_network):
            keys, values = self.prefix_network[name]()
            self.prefix_keys[name] = nn.Parameter(keys.detach().clone())
            self.prefix_values[name] = nn.Parameter(values.detach().clone())
            del self.prefix_network[name]

    def forward(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor | None, ...]:
        """Return what the attention module returns, its hidden states of shape (batch, length, d_model) first."""
        active = self.adapters()
        if self.disable_adapters or not active:
            return self.base_layer(*args, **kwargs)
        keys, values = map(self._heads, self.keys_and_values(active[-1]))
        with self._own_attention() as implementation:
            return self.base_layer(*args, prefix=Prefix(keys, values, implementation), **kwargs)

    def _heads(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.view(len(vectors), key_heads(self.base_layer), -1).transpose(0, 1)[None]

    @contextmanager
    def _own_attention(self) -> Iterator[str]:
        """Let the module call `attend`; yields the name of the function that it calls otherwise."""
        implementation = compat.attention_implementation(self.base_layer)
        if implementation not in SUPPORTED:
            raise ValueError(f"Prefixes work with attention {' or '.join(SUPPORTED)}, not with '{implementation}'.")
        with _calling(ATTENTION, [self.base_layer]):
            yield implementation

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: a prefix is no change of any weight of the base."""
        raise ValueError("A prefix can't be merged into the base model; keep it as a module.")


class PrefixModel(WrappingAdapter):
    """Puts prefixes into a model."""

    prefix = "prefix_"
    tuner_layer_cls = wrapper = PrefixLayer

    def add_to(self, layer: PrefixLayer, config: PrefixConfig, adapter_name: str, *, module: str) -> None:
        """Add a prefix of the length that the pattern names."""
        length = config.length_pattern.get(module, config.length)
        layer.add_adapter(adapter_name, length=length, network=config.network)


class PrefixNetwork(nn.Module):
    """out(tanh(hidden(vectors))): keys and values, (length, all heads) each, of vectors (length, inner)."""

    def __init__(self, length: int, inner: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(length, inner))
        self.hidden = nn.Linear(inner, inner)
        self.out = nn.Linear(inner, 2 * width)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values of the prefix."""
        keys, values = self.out(torch.tanh(self.hidden(self.vectors))).chunk(2, dim=1)
        return keys, values

    @torch.no_grad()
    def start_at(self, *, key: torch.Tensor, own: float) -> None:
        """Begin with keys near one key, each off it by a direction of this size, and with values of zero."""
        width = len(key)
        self.out.bias.zero_()
        self.out.weight[width:] = 0
        spread, _ = self.forward()
        self.out.weight[:width] *= own / spread.square().mean().sqrt()
        self.out.bias[:width] = key


WEIGHT = math.exp(-1)
"""Attention to a whole prefix under the mean query, beside a token whose score is zero."""
SPREAD = 1.0
"""Standard deviation of the part of the scores that is each key's own."""
RIDGE = 0.1
"""Share of the mean variance that is added to all, so that a covariance of few queries can be inverted."""
ROWS, ROW_TOKENS = 32, 16
"""Sequences that the queries are taken from, made of the tokens that stand first in the vocabulary."""


@contextmanager
def _calling(function: str, attentions: Iterable[nn.Module], **more: Any) -> Iterator[None]:
    """Let attention modules call another function of transformers' table while this is open.

    Args:
        function: its name.
        attentions: the modules.
        more: attributes of the configuration that the function reads.
    """
    own = [(attention, attention.config) for attention in attentions]
    for attention, _ in own:
        attention.config = SimpleNamespace(_attn_implementation=function, **more)
    try:
        yield
    finally:
        for attention, config in own:
            attention.config = config


def _remember(module: nn.Module, query: torch.Tensor, *given: Any, **options: Any) -> tuple[torch.Tensor, Any]:
    """Put the queries where the configuration says, and compute attention as ever; rotary positions are in them."""
    module.config.found[module] = query
    function = ALL_ATTENTION_FUNCTIONS.get_interface(module.config.implementation, compat.eager_attention(module))
    return function(module, query, *given, **options)


AttentionInterface.register(QUERIES, _remember)


def _of_key_heads(attention: nn.Module, queries: torch.Tensor) -> torch.Tensor:
    """Return queries (batch, heads, length, width) by the heads of keys, (heads of keys, queries, width)."""
    by_head = queries.float().transpose(1, 2).flatten(0, 1).transpose(0, 1)
    return by_head.unflatten(0, (key_heads(attention), -1)).flatten(1, 2)


@torch.no_grad()
def typical_queries(model: nn.Module, attentions: Iterable[str]) -> dict[str, torch.Tensor]:
    """Collect queries of the attention modules of a base model, (heads of keys, queries, width of a head)."""
    modules = {name: model.get_submodule(name) for name in attentions}
    found: dict[nn.Module, torch.Tensor] = {}
    mode = model.training
    model.eval()
    tokens = torch.arange(ROWS * ROW_TOKENS, device=model.device).view(ROWS, ROW_TOKENS)
    tokens = HUGGINGFACE_SPECIALS + tokens % (model.config.vocab_size - HUGGINGFACE_SPECIALS)
    implementation = compat.attention_implementation(next(iter(modules.values())))
    with _calling(QUERIES, modules.values(), found=found, implementation=implementation):
        model(**dict.fromkeys(task_of(model.config).reads, tokens), use_cache=False)
    model.train(mode)
    return {name: _of_key_heads(module, found[module]) for name, module in modules.items()}


@torch.no_grad()
def start_near_base(model: nn.Module, queries: Mapping[str, torch.Tensor]) -> None:
    """Set the keys of the active prefixes of a peft model, whose values are zero already."""
    for name, given in queries.items():
        layer = model.get_base_model().get_submodule(name)
        assert isinstance(layer, PrefixLayer)
        own = SPREAD / given.square().mean().sqrt()
        for adapter in layer.adapters():
            length = len(layer.keys_and_values(adapter)[0])
            score = math.log(WEIGHT / length) - SPREAD**2 / 2
            layer.start_at(adapter, key=_keys_with_score(given, score).flatten(), own=float(own))


def _keys_with_score(queries: torch.Tensor, score: float) -> torch.Tensor:
    """Find keys, (heads, width), with this score under the mean query and its least variance over all queries.

    The variance counts, since what a prefix takes grows with the exponential of its score.
    """
    _, count, width = queries.shape
    mean = queries.mean(dim=1)
    centred = queries - mean[:, None]
    covariance = centred.transpose(1, 2) @ centred / count
    variance = covariance.diagonal(dim1=1, dim2=2).mean(dim=1)
    ridge = RIDGE * variance[:, None, None] * torch.eye(width, device=queries.device)
    direction = torch.linalg.solve(covariance + ridge, mean)
    return direction * score * math.sqrt(width) / (direction * mean).sum(dim=1, keepdim=True)


register(PrefixConfig, PrefixModel)
