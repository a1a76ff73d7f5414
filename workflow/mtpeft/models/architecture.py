"""The shape of a model by its config.json: the modules that methods attach to, and the number of parameters.

Nothing here needs torch, so that budgets are known before there is any weight. The trainer asserts the totals on the
built model.
"""

from dataclasses import dataclass, replace
from typing import Literal

from mtpeft.models.tasks import SEQUENCE_TO_SEQUENCE, Stack, Task

NEW_ENTRIES = "new_entries"
"""Key of a config.json with the number of entries that were added to its vocabulary, and name of what trains them."""
KEEPS_ZEROS = "keeps_zeros"
"""Key of a config.json that is true where weights of the linear layers that are zero must stay so in training."""
Role = Literal["query", "key", "value", "output", "feed_forward", "recurrence"]
CROSS = ("encoder_attn", "EncDecAttention")
"""Names of the cross-attention modules of the decoder."""


def side_of(module: str) -> Stack:
    """Return the side that a module belongs to, by its name."""
    return "encoder" if "encoder" in module.split(".")[:2] else "decoder"


def is_cross(module: str) -> bool:
    """Return whether a module is, or is part of, cross-attention."""
    return any(name in CROSS for name in module.split("."))


@dataclass(frozen=True)
class Linear:
    """A linear layer of an attention, a feed-forward block or a recurrent unit."""

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
    """A layer norm: it has a weight and, unless it is a root mean square norm, a bias."""

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
    """Names and sizes of the modules that methods attach to, with the names that `model.named_modules()` gives them.

    Attributes:
        d_model: width of the model.
        max_positions: longest sequence in tokens.
        linears: linear layers of the encoder and the decoder, without the output projection.
        norms: all layer norms.
        attentions: attention modules: self-attention of both sides, cross-attention of the decoder.
        attention_width: width of all heads of an attention module together.
        feed_forwards: last modules of the feed-forward blocks.
        layers: encoder and decoder layers.
        embedding_module: the embedding matrix, under the first of the names that share it.
        embeddings: number of its parameters.
        total: number of the model's learnt parameters, tied ones counted once.
        matrices: number of embedding matrices: 2 where the output projection has one of its own.
        new_entries: number of entries, the last ones, that were added to the vocabulary of the published model.
        heads: number of heads of an attention module.
        distance_biases: parameters that each head has beside its projections, in the whole model, for distances.
        task: what kind of model it is.
        key_width: width of the keys of an attention module, and of its values, where heads of queries share them.
        activation: name of the function between both linear layers of a feed-forward block, as config.json has it.
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
    heads: int = 1
    distance_biases: int = 0
    task: Task = SEQUENCE_TO_SEQUENCE
    key_width: int | None = None
    activation: str = ""

    @property
    def entries(self) -> int:
        """Number of rows of the embedding matrix."""
        return self.embeddings // self.d_model

    @property
    def cached_width(self) -> int:
        """Width of the keys of an attention module, and of its values."""
        return self.attention_width if self.key_width is None else self.key_width

    @property
    def positions_of_side(self) -> int:
        """Longest source, and longest target, in tokens."""
        return self.task.positions_of_side(self.max_positions)


def extended_shape(shape: ModelShape, *, new_entries: int) -> ModelShape:
    """Return the shape of a model with entries that are added to its vocabulary."""
    resized = _with_embeddings(shape, shape.embeddings + new_entries * shape.d_model)
    return replace(resized, new_entries=shape.new_entries + new_entries)


def trimmed_shape(shape: ModelShape, *, entries: int) -> ModelShape:
    """Return the shape of a model with only so many entries in its vocabulary."""
    return _with_embeddings(shape, entries * shape.d_model)


def shape_with_layers(shape: ModelShape, *, encoder: int, decoder: int) -> ModelShape:
    """Return the shape of a model with only so many layers on each side, whose layers are all of one size."""
    kept = {"encoder": encoder, "decoder": decoder}
    gone = tuple(f"{layer}." for layer in shape.layers if int(layer.rpartition(".")[2]) >= kept[side_of(layer)])
    linears, norms = (
        tuple(own for own in parts if not own.module.startswith(gone)) for parts in (shape.linears, shape.norms)
    )
    lost = sum(own.parameters for own in (*shape.linears, *shape.norms) if own.module.startswith(gone))
    names = {
        name: tuple(own for own in getattr(shape, name) if not f"{own}.".startswith(gone))
        for name in ("attentions", "feed_forwards", "layers")
    }
    return replace(shape, linears=linears, norms=norms, total=shape.total - lost, **names)


def _with_embeddings(shape: ModelShape, embeddings: int) -> ModelShape:
    more = embeddings - shape.embeddings
    return replace(shape, embeddings=embeddings, total=shape.total + shape.matrices * more)
