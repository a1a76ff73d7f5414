"""Operations of training and decoding a model, in closed form from its shape, before there is any weight.

An operation is one multiplication or one addition of floats, so a weight takes two for each token that it meets. In
training a weight takes two more for the gradient of its inputs and, where it is trained, two for its own gradient
(Kaplan et al. 2020, arXiv 2001.08361). Norms, activations and lookups are left out, which are a few per cent.
"""

from dataclasses import dataclass

from mtpeft.models.architecture import ModelShape, is_cross, side_of

FLOAT_BYTES = 4
"""Bytes of a 32-bit float."""
STEPS_OF_RMS = 3
"""Tensors of its own width that a root mean square norm keeps."""
PER_WEIGHT = 2
"""Operations of a weight for each token: a multiplication and an addition."""


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
class ModelSizes:
    """The numbers of a model that operations and memory follow from.

    Attributes:
        encoder: weights of linear layers that each source token meets in the encoder.
        across: weights that it meets in the keys and values of cross-attention.
        decoder: weights that each target token meets in the decoder.
        output: weights that each predicted token meets in the output projection.
        entries: number of rows of the output projection.
        total: number of all parameters.
        width: width of the model.
        attention_width: width of all heads of an attention module together.
        cached_width: width of its keys, and of its values.
        self_attentions: number of attention modules of the encoder, and of those of the decoder to itself.
        cross_attentions: number of attention modules of the decoder to the encoder.
        layers: number of layers of the encoder, and of the decoder.
        kept: floats that the layers keep for the gradient, for each source token, and for each target token.
    """

    encoder: int
    across: int
    decoder: int
    output: int
    entries: int
    total: int
    width: int
    attention_width: int
    cached_width: int
    self_attentions: tuple[int, int]
    cross_attentions: int
    layers: tuple[int, int]
    kept: tuple[int, int]


def model_sizes(shape: ModelShape) -> ModelSizes:
    """Return the numbers of a model of this shape.

    The only stack of a causal model counts as an encoder that reads prompts, and as a decoder whose attention compares
    a target with itself and with its prompt.
    """
    if "encoder" not in shape.task.stacks:
        return _sizes_of_one_stack(shape)
    weights = {own.module: own.inputs * own.outputs for own in shape.linears}
    encoder = sum(size for module, size in weights.items() if side_of(module) == "encoder")
    of_source = sum(size for module, size in weights.items() if meets_source(module))
    inside = sum(side_of(module) == "encoder" for module in shape.attentions)
    cross = sum(is_cross(module) for module in shape.attentions)
    layers = sum(side_of(layer) == "encoder" for layer in shape.layers)
    return ModelSizes(
        encoder=encoder,
        across=of_source - encoder,
        decoder=sum(weights.values()) - of_source,
        output=shape.embeddings,
        entries=shape.entries,
        total=shape.total,
        width=shape.d_model,
        attention_width=shape.attention_width,
        cached_width=shape.cached_width,
        self_attentions=(inside, len(shape.attentions) - inside - cross),
        cross_attentions=cross,
        layers=(layers, len(shape.layers) - layers),
        kept=(kept_floats(shape, of_source=True), kept_floats(shape, of_source=False)),
    )


def _sizes_of_one_stack(shape: ModelShape) -> ModelSizes:
    weights = sum(own.inputs * own.outputs for own in shape.linears)
    kept, modules = kept_floats(shape, of_source=False), len(shape.attentions)
    return ModelSizes(
        encoder=weights,
        across=0,
        decoder=weights,
        output=shape.embeddings,
        entries=shape.entries,
        total=shape.total,
        width=shape.d_model,
        attention_width=shape.attention_width,
        cached_width=shape.cached_width,
        self_attentions=(modules, modules),
        cross_attentions=modules,
        layers=(0, len(shape.layers)),
        kept=(kept, kept),
    )


def meets_source(module: str) -> bool:
    """Return whether a module reads source tokens: one of the encoder, or the keys or values of cross-attention."""
    if side_of(module) == "encoder":
        return True
    return is_cross(module) and module.rpartition(".")[2] in ("k_proj", "v_proj", "k", "v")


def kept_floats(shape: ModelShape, *, of_source: bool) -> int:
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


def training_operations(sizes: ModelSizes, batch: BatchSize, trained: TrainedPart) -> float:
    """Return the operations of an update, forward and backward.

    They are counted as if the gradient went through all layers of a side on which something is trained.
    """
    source, target = batch.rows * batch.source, batch.rows * batch.target
    forward = forward_operations(sizes, batch)
    passed_on = PER_WEIGHT * (sizes.decoder * target + sizes.output * batch.labels)
    if trained.reaches_encoder:
        passed_on += PER_WEIGHT * (sizes.encoder + sizes.across) * source
    attended = 2 * _attention(sizes, batch, encoder=trained.reaches_encoder)
    own = PER_WEIGHT * ((sizes.encoder + sizes.across) * source + sizes.decoder * target) if trained.base else 0
    own += PER_WEIGHT * sizes.output * batch.labels if trained.output else 0
    beside = 3 * PER_WEIGHT * (trained.source * source + trained.target * target)
    return forward + passed_on + attended + own + beside


def forward_operations(sizes: ModelSizes, batch: BatchSize) -> float:
    """Return the operations of computing the logits of all labels of a batch."""
    source, target = batch.rows * batch.source, batch.rows * batch.target
    met = (sizes.encoder + sizes.across) * source + sizes.decoder * target + sizes.output * batch.labels
    return PER_WEIGHT * met + _attention(sizes, batch)


def decoding_operations(sizes: ModelSizes, *, source: float, target: float, beam_size: int) -> float:
    """Return the operations of translating a sentence with a cache of keys and values.

    Args:
        sizes: of the model.
        source: tokens of the sentence.
        target: tokens of its translation.
        beam_size: hypotheses that are kept from the second token on; they share the keys and values of
            cross-attention.
    """
    encoder, decoder = sizes.self_attentions
    read = PER_WEIGHT * sizes.encoder * source + _scores(sizes, encoder, source, source)
    across = PER_WEIGHT * sizes.across * source
    step = PER_WEIGHT * (sizes.decoder + sizes.output)
    step += _scores(sizes, decoder, 1, target / 2) + _scores(sizes, sizes.cross_attentions, 1, source)
    return read + across + step * (1 + beam_size * (target - 1))


def step_weights(sizes: ModelSizes) -> int:
    """Return how many weights a step of decoding reads."""
    return sizes.decoder + sizes.output


def _attention(sizes: ModelSizes, batch: BatchSize, *, encoder: bool = True) -> float:
    """Return the operations of the scores and sums of all attention of a batch, forward."""
    inside, outside = sizes.self_attentions
    scores = _scores(sizes, inside, batch.source, batch.source) if encoder else 0.0
    scores += _scores(sizes, outside, batch.target, batch.target)
    return batch.rows * (scores + _scores(sizes, sizes.cross_attentions, batch.target, batch.source))


def _scores(sizes: ModelSizes, modules: int, queries: float, keys: float) -> float:
    """Return the operations of comparing queries with keys, and of summing values, in some attention modules."""
    return 2 * PER_WEIGHT * modules * sizes.attention_width * queries * keys
