"""The shape of a model as its config.json tells it: the modules that methods attach to, and the number of parameters.

Nothing here needs torch, so that budgets are known before any weight is there. The totals are asserted on the built
model by the trainer.
"""

from dataclasses import dataclass, replace
from typing import Literal

NEW_ENTRIES = "new_entries"
"""Key of a config.json that says how many entries were added to the vocabulary, and name of what trains them."""
Role = Literal["query", "key", "value", "output", "feed_forward"]
Side = Literal["encoder", "decoder"]
CROSS = ("encoder_attn", "EncDecAttention")
"""Names of the cross-attention modules of the decoder."""


def side_of(module: str) -> Side:
    """The stack that a module belongs to, by its name."""
    return "encoder" if "encoder" in module.split(".")[:2] else "decoder"


def is_cross(module: str) -> bool:
    """Whether a module is, or is part of, cross-attention."""
    return any(name in CROSS for name in module.split("."))


@dataclass(frozen=True)
class Linear:
    """A linear layer of an attention or a feed-forward block."""

    module: str
    inputs: int
    outputs: int
    role: Role
    bias: bool = True

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.inputs * self.outputs + self.outputs * self.bias


@dataclass(frozen=True)
class Norm:
    """A layer norm with a weight and, but for a root mean square norm, a bias; it may be that of cross-attention."""

    module: str
    width: int
    bias: bool = True
    of_cross_attention: bool = False

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.width * (1 + self.bias)


@dataclass(frozen=True)
class ModelShape:
    """Names and sizes of the modules that methods attach to, named as `model.named_modules()` names them.

    Attributes:
        d_model: width of the model.
        max_positions: longest sequence in tokens.
        linears: linear layers of the encoder and the decoder; the output projection is none of them.
        norms: all layer norms.
        attentions: attention modules: self-attention of both sides, cross-attention of the decoder.
        attention_width: all heads of an attention module together.
        feed_forwards: modules whose output is that of a feed-forward block.
        layers: encoder and decoder layers.
        embedding_module: the embedding matrix, under the first of the names that share it.
        embeddings: its parameters.
        total: parameters of the model that are learnt, tied ones counted once.
        matrices: embedding matrices: 2 where the output projection has one of its own.
        new_entries: entries of the vocabulary that were added to the published model, the last ones.
    """

    d_model: int
    max_positions: int
    linears: tuple[Linear, ...]
    norms: tuple[Norm, ...]
    attentions: tuple[str, ...]
    attention_width: int
    feed_forwards: tuple[str, ...]
    layers: tuple[str, ...]
    embedding_module: str
    embeddings: int
    total: int
    matrices: int = 1
    new_entries: int = 0


def extended_shape(shape: ModelShape, *, new_entries: int) -> ModelShape:
    """The shape of a model after entries were added to its vocabulary."""
    added = new_entries * shape.d_model
    return replace(
        shape,
        embeddings=shape.embeddings + added,
        total=shape.total + shape.matrices * added,
        new_entries=shape.new_entries + new_entries,
    )
