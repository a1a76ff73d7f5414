"""Operations and memory of training and decoding a model, in closed form from its shape, before there is any weight.

An operation is one multiplication or one addition of floats, so a weight takes two for each token that it meets. In
training a weight takes two more for the gradient of its inputs and, where it is trained, two for its own gradient
(Kaplan et al. 2020, arXiv 2001.08361). Norms, activations and lookups are left out, which are a few per cent.
"""

from dataclasses import dataclass

from mtpeft.models.architecture import ModelShape, is_cross, side_of

FLOAT_BYTES = 4
"""Bytes of a 32-bit float."""
PER_WEIGHT = 2
"""Operations of a weight for each token: a multiplication and an addition."""
STEPS_OF_RMS = 3
"""Tensors of its own width that a root mean square norm keeps."""
STATES = 4
"""Floats that a trained parameter has besides itself: its gradient, AdamW's two moments, and its best value so far."""


@dataclass(frozen=True)
class BatchSize:
    """The size of a batch of an update; numbers may be means.

    Attributes:
        rows: number of sentence pairs.
        source: tokens of each source, with padding.
        target: tokens of each target, with padding.
        labels: target tokens of the whole batch, without padding, for which the vocabulary is computed.
    """

    rows: float
    source: float
    target: float
    labels: float


@dataclass(frozen=True)
class TrainedPart:
    """What is trained of a model, as far as operations and memory depend on it.

    Attributes:
        parameters: number of trained parameters.
        base: whether the weights of the model's layers are trained.
        output: whether the output projection is trained.
        source: trained weights beside those of the model that each source token meets.
        target: the same for each target token.
        reaches_encoder: whether something is trained in the encoder, so that the gradient goes there.
    """

    parameters: int
    base: bool = False
    output: bool = False
    source: int = 0
    target: int = 0
    reaches_encoder: bool = True


@dataclass(frozen=True)
class _Weights:
    """Weights that a token meets.

    Attributes:
        encoder: for each source token, in the encoder.
        across: for each source token, in the keys and values of cross-attention.
        decoder: for each target token, in the decoder.
        output: for each predicted token, in the output projection.
    """

    encoder: int
    across: int
    decoder: int
    output: int


def meets_source(module: str) -> bool:
    """Return whether a module reads source tokens: one of the encoder, or the keys or values of cross-attention."""
    if side_of(module) == "encoder":
        return True
    return is_cross(module) and module.rpartition(".")[2] in ("k_proj", "v_proj", "k", "v")


def training_operations(shape: ModelShape, batch: BatchSize, trained: TrainedPart) -> float:
    """Return the operations of an update, forward and backward.

    They are counted as if the gradient went through all layers of a side on which something is trained.
    """
    weights = _weights(shape)
    source, target = batch.rows * batch.source, batch.rows * batch.target
    forward = forward_operations(shape, batch)
    passed_on = PER_WEIGHT * (weights.decoder * target + weights.output * batch.labels)
    if trained.reaches_encoder:
        passed_on += PER_WEIGHT * (weights.encoder + weights.across) * source
    attended = 2 * _attention(shape, batch, encoder=trained.reaches_encoder)
    own = PER_WEIGHT * ((weights.encoder + weights.across) * source + weights.decoder * target) if trained.base else 0
    own += PER_WEIGHT * weights.output * batch.labels if trained.output else 0
    beside = 3 * PER_WEIGHT * (trained.source * source + trained.target * target)
    return forward + passed_on + attended + own + beside


def forward_operations(shape: ModelShape, batch: BatchSize) -> float:
    """Return the operations of computing the logits of all labels of a batch."""
    weights = _weights(shape)
    source, target = batch.rows * batch.source, batch.rows * batch.target
    met = (weights.encoder + weights.across) * source + weights.decoder * target + weights.output * batch.labels
    return PER_WEIGHT * met + _attention(shape, batch)


def decoding_operations(shape: ModelShape, *, source: float, target: float, beam_size: int) -> float:
    """Return the operations of translating a sentence with a cache of keys and values.

    Args:
        shape: of the model.
        source: tokens of the sentence.
        target: tokens of its translation.
        beam_size: hypotheses that are kept, each of which has its own keys and values of cross-attention, as in
            transformers' `generate`.
    """
    weights, kinds = _weights(shape), _attentions(shape)
    read = PER_WEIGHT * weights.encoder * source + _scores(shape, kinds.encoder, source, source)
    across = PER_WEIGHT * weights.across * source
    step = PER_WEIGHT * (weights.decoder + weights.output)
    step += _scores(shape, kinds.decoder, 1, target / 2) + _scores(shape, kinds.cross, 1, source)
    return read + beam_size * (across + step * target)


def step_weights(shape: ModelShape) -> int:
    """Return how many weights a step of decoding reads."""
    weights = _weights(shape)
    return weights.decoder + weights.output


def training_memory(
    shape: ModelShape,
    batch: BatchSize,
    trained: TrainedPart,
    *,
    base_bytes: float = FLOAT_BYTES,
    float_bytes: int = FLOAT_BYTES,
) -> float:
    """Return the bytes of the tensors of an update at their most.

    They are the weights, four floats for each trained parameter, what each layer keeps for its gradient, and the
    logits, whose gradient takes their place. Inputs of linear layers are counted as kept by all methods, which is an
    upper bound for those that train nothing beside these layers. Scores of attention are not kept.

    Args:
        shape: of the model.
        batch: of an update, or of a part of it where memory suffices for no more.
        trained: what is trained.
        base_bytes: bytes of a weight of the model.
        float_bytes: bytes of an activation.
    """
    beside = 0 if trained.base else trained.parameters
    held = base_bytes * shape.total + FLOAT_BYTES * (beside + STATES * trained.parameters)
    source, target = batch.rows * batch.source, batch.rows * batch.target
    kept = source * _kept(shape, of_source=True) + target * _kept(shape, of_source=False)
    return held + float_bytes * kept + FLOAT_BYTES * batch.labels * shape.entries


def decoding_memory(
    shape: ModelShape, *, rows: float, source: float, target: float, base_bytes: float = FLOAT_BYTES
) -> float:
    """Return the bytes of the weights, of the cache of keys and values at its longest, and of two steps' logits.

    Args:
        shape: of the model.
        rows: hypotheses of a batch, each beam counted.
        source: tokens of a source, with padding.
        target: tokens of the longest hypothesis.
        base_bytes: bytes of a weight of the model.
    """
    kinds = _attentions(shape)
    cached = 2 * shape.attention_width * (kinds.decoder * target + kinds.cross * source)
    return base_bytes * shape.total + FLOAT_BYTES * rows * (cached + 2 * shape.entries)


def _weights(shape: ModelShape) -> _Weights:
    sizes = {own.module: own.inputs * own.outputs for own in shape.linears}
    encoder = sum(size for module, size in sizes.items() if side_of(module) == "encoder")
    of_source = sum(size for module, size in sizes.items() if meets_source(module))
    return _Weights(encoder, of_source - encoder, sum(sizes.values()) - of_source, shape.embeddings)


@dataclass(frozen=True)
class _Attentions:
    """Numbers of attention modules: of the encoder, of the decoder to itself, of the decoder to the encoder."""

    encoder: int
    decoder: int
    cross: int


def _attentions(shape: ModelShape) -> _Attentions:
    encoder = sum(side_of(module) == "encoder" for module in shape.attentions)
    cross = sum(is_cross(module) for module in shape.attentions)
    return _Attentions(encoder, len(shape.attentions) - encoder - cross, cross)


def _attention(shape: ModelShape, batch: BatchSize, *, encoder: bool = True) -> float:
    """Return the operations of the scores and sums of all attention of a batch, forward."""
    kinds, source, target = _attentions(shape), batch.source, batch.target
    inside = _scores(shape, kinds.encoder, source, source) if encoder else 0.0
    outside = _scores(shape, kinds.decoder, target, target) + _scores(shape, kinds.cross, target, source)
    return batch.rows * (inside + outside)


def _scores(shape: ModelShape, modules: int, queries: float, keys: float) -> float:
    """Return the operations of comparing queries with keys, and of summing values, in some attention modules."""
    return 2 * PER_WEIGHT * modules * shape.attention_width * queries * keys


def _kept(shape: ModelShape, *, of_source: bool) -> int:
    """Return the floats that the layers keep for the gradient, for each source token or each target token.

    They are the inputs of norms and of linear layers, each once, what attention reads and writes, and the inputs of
    activations; a norm without a bias is computed in steps, each of which keeps its input.
    """
    side = "encoder" if of_source else "decoder"
    norms = sum(own.width * (1 if own.bias else STEPS_OF_RMS) for own in shape.norms if side_of(own.module) == side)
    linears = [own for own in shape.linears if meets_source(own.module) == of_source]
    # Layers that read the same tensor keep it once: queries, keys and values, and both openings of a gated block.
    read = {(own.module.rpartition(".")[0], own.inputs, own.role == "output"): own.inputs for own in linears}
    written = sum(own.outputs for own in linears if own.role in ("query", "key", "value", "recurrence"))
    attended = sum(own.inputs for own in linears if own.role == "output")
    opened = sum(own.outputs for own in linears if own.role == "feed_forward" and own.outputs > own.inputs)
    return norms + sum(read.values()) + written + attended + opened
