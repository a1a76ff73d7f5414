"""Students of Marian: models with a decoder of simple recurrent units, as Bergamot and Firefox publish them.

The model is Marian's transformer of transformers in all but four things: a simple recurrent unit stands in the place
of the decoder's self-attention, the decoder begins with a zero vector, positions are those of Marian's own code, and
attention may have fewer heads than fill the width. It is registered with the Auto classes of transformers after
`import mtpeft`. The architecture is that of Kim et al. 2019, From Research to Production and Back: Ludicrously Fast
Neural Machine Translation (WNGT 2019).
"""

import math
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSeq2SeqLM, MarianMTModel
from transformers.cache_utils import Cache, EncoderDecoderCache
from transformers.models.marian.modeling_marian import MarianAttention, MarianSinusoidalPositionalEmbedding

from mtpeft.models.student_config import StudentConfig


class SimpleRecurrentUnit(nn.Module):
    """A simple recurrent unit: c_t = f_t c_(t-1) + (1 - f_t) W x_t with f_t = sigmoid(V x_t + b); it returns relu(c_t).

    Its states lie in the cache like keys of one head, those of all positions, so that what transformers does to a cache
    (reorder, select, crop) holds for them as well.
    """

    def __init__(self, width: int, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.input_proj = nn.Linear(width, width, bias=False)
        self.forget_proj = nn.Linear(width, width)

    def forward(
        self, hidden_states: torch.Tensor, past_key_values: Cache | None = None, **kwargs: Any
    ) -> tuple[torch.Tensor, None]:
        """Return the outputs for hidden states of shape (batch, length, width), with the same shape; no attention.

        Targets are padded on the right, so there is no mask.

        Raises:
            ValueError: the cache is not one of an encoder and a decoder, such as `generate` makes.
        """
        if past_key_values is not None and not isinstance(past_key_values, EncoderDecoderCache):
            raise ValueError(f"a student takes an EncoderDecoderCache, not a {type(past_key_values).__name__}")
        forget = torch.sigmoid(self.forget_proj(hidden_states))
        update = (1 - forget) * self.input_proj(hidden_states)
        cache = past_key_values.self_attention_cache if past_key_values is not None else None
        states = scan(forget, update, self._last_state(cache))
        if cache is not None:
            keys = states[:, None]
            cache.update(keys, keys[..., :0], self.layer)
        return torch.relu(states), None

    def _last_state(self, cache: Cache | None) -> torch.Tensor | None:
        """Return the state of the last position in the cache, of shape (batch, width)."""
        length = int(cache.get_seq_length(self.layer)) if cache is not None else 0
        if cache is None or length == 0:
            return None
        # A static cache has room for positions that are still to come.
        return cache.layers[self.layer].keys[:, 0, length - 1].clone()


def scan(forget: torch.Tensor, update: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor:
    """Return c_t = forget_t * c_(t-1) + update_t for all positions.

    Args:
        forget: shares of the states that stay, shape (batch, length, width).
        update: values that are added, same shape.
        state: the state before the first position, shape (batch, width); None for zeros.
    """
    states = []
    for kept, added in zip(forget.unbind(1), update.unbind(1), strict=True):
        state = added if state is None else torch.addcmul(added, kept, state)
        states.append(state)
    return torch.stack(states, 1)


class ZeroStartEmbedding(nn.Embedding):
    """Embeddings of which that of the padding, with which the decoder begins, is always the zero vector.

    Its row in the matrix, which is tied to the output projection, may be trained.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of tokens of any shape."""
        return super().forward(input) * (input != self.padding_idx).unsqueeze(-1).to(self.weight.dtype)


class SinusoidalPositions(MarianSinusoidalPositionalEmbedding):
    """Sinusoidal positions as in Marian's own code: the last frequency is 1/10000, not the one that would follow it."""

    def create_weight(self) -> torch.Tensor:
        """Return the table, shape (positions, width): sines first, then cosines."""
        positions, width = self.weight.shape
        half = width // 2
        frequencies = torch.exp(torch.arange(half).float() * -(math.log(10000.0) / (half - 1)))
        angles = torch.arange(positions).float()[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], 1).to(self.weight.dtype)


def keep_heads(attention: MarianAttention, heads: int) -> None:
    """Give an attention module fewer heads of the width that they have, with projections of their size."""
    width, inner = attention.embed_dim, heads * attention.head_dim
    attention.num_heads = heads
    for name in ("q_proj", "k_proj", "v_proj"):
        setattr(attention, name, nn.Linear(width, inner))
    attention.out_proj = nn.Linear(inner, width)


class StudentMTModel(MarianMTModel):
    """A student with its output projection, which is tied to the embeddings of both sides."""

    config_class = StudentConfig

    def __init__(self, config: StudentConfig) -> None:
        super().__init__(config)
        padding = config.pad_token_id
        self.model.shared = ZeroStartEmbedding(config.vocab_size, config.d_model, padding)
        for stack in (self.model.encoder, self.model.decoder):
            stack.embed_tokens = ZeroStartEmbedding(config.vocab_size, config.d_model, padding)
            stack.embed_positions = SinusoidalPositions(config.max_position_embeddings, config.d_model, padding)
        for number, layer in enumerate(self.model.decoder.layers):
            layer.self_attn = SimpleRecurrentUnit(config.d_model, number)
        if config.kept_heads:
            attentions = [layer.self_attn for layer in self.model.encoder.layers]
            attentions += [layer.encoder_attn for layer in self.model.decoder.layers]
            for attention in attentions:
                keep_heads(attention, config.kept_heads)
        self.post_init()


def register() -> None:
    """Let `AutoModelForSeq2SeqLM` make and load students."""
    AutoModelForSeq2SeqLM.register(StudentConfig, StudentMTModel, exist_ok=True)
