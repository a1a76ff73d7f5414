"""Where a prefix starts from: near the base model, and no two vectors alike.

A prefix takes attention away from the text, however small its values are. So the values start at zero, and the keys
point away from the mean query of their head, the further the longer the prefix is: whatever its length, a prefix
begins with the weight of a fraction of one token. Each key adds a random direction of its own, since equal keys would
be trained alike and stay equal. Nothing but weights and the vocabulary is needed, no text.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from mtpeft.models.describe import HUGGINGFACE_SPECIALS
from mtpeft.tuners.prefix import PrefixLayer

WEIGHT = math.exp(-1)
"""Attention to a whole prefix under the mean query, beside a token whose score is zero."""
SPREAD = 1.0
"""Standard deviation of a key's score over queries that are as long as those of the base model."""
ROWS, ROW_TOKENS = 32, 16
"""Sequences that the mean queries are taken from, made of the tokens that stand first in the vocabulary."""


@torch.no_grad()
def typical_queries(model: nn.Module, attentions: Iterable[str]) -> dict[str, tuple[torch.Tensor, float]]:
    """Mean query, (d_model,), and root mean square of its elements, of attention modules of a base model."""
    found: dict[str, tuple[torch.Tensor, float]] = {}

    def remember(name: str, queries: torch.Tensor) -> None:
        found[name] = queries.mean(dim=(0, 1)), float(queries.square().mean().sqrt())

    hooks = [
        model.get_submodule(f"{name}.q_proj").register_forward_hook(
            lambda module, given, queries, name=name: remember(name, queries)
        )
        for name in attentions
    ]
    mode = model.training
    model.eval()
    width = min(ROW_TOKENS, model.config.max_position_embeddings)
    tokens = torch.arange(ROWS * width, device=model.device).view(ROWS, width)
    tokens = HUGGINGFACE_SPECIALS + tokens % (model.config.vocab_size - HUGGINGFACE_SPECIALS)
    model(input_ids=tokens, decoder_input_ids=tokens, use_cache=False)
    model.train(mode)
    for hook in hooks:
        hook.remove()
    return found


@torch.no_grad()
def start_near_base(model: nn.Module, queries: Mapping[str, tuple[torch.Tensor, float]]) -> None:
    """Set the keys of the active prefixes of a peft model, whose values are zero already."""
    for name, (mean, size) in queries.items():
        layer = model.get_base_model().get_submodule(name)
        assert isinstance(layer, PrefixLayer)
        heads = layer.base_layer.num_heads
        for keys in (layer.prefix_keys[adapter] for adapter in layer.active_adapters):
            score = math.log(WEIGHT / len(keys)) - SPREAD**2 / 2
            away = _keys_with_score(mean.view(heads, -1), score).flatten()
            keys.copy_(away + SPREAD / size * torch.randn_like(keys))


def _keys_with_score(queries: torch.Tensor, score: float) -> torch.Tensor:
    """The shortest keys, (heads, width), of which each has this score under the query of its head."""
    width = queries.shape[1]
    return queries * score * math.sqrt(width) / queries.square().sum(dim=1, keepdim=True)
