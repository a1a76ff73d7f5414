"""Memory of training and decoding a model, in closed form from its shape, before there is any weight.

Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174) keeps the input of each layer, and one layer's activations.
"""

from mtpeft.models.operations import FLOAT_BYTES, BatchSize, ModelSizes, TrainedPart

OPTIMISER_STATES = 3
"""Floats beside a trained parameter where it is trained: its gradient and AdamW's two moments."""
CHECKPOINT_FLOATS = 4
"""Floats of a trained parameter in a checkpoint: its value, its best one so far, and AdamW's two moments."""
MOST_LOGITS = 2**27
"""Logits that are computed at once: 512 MiB of 32-bit floats. Fewer are never divided, and keep the bits they had."""
COPIES_OF_CHUNK = 3
"""Tensors as large as a chunk of logits: logits, their gradient, and one in between."""


def training_memory(
    sizes: ModelSizes,
    batch: BatchSize,
    trained: TrainedPart,
    *,
    base_bytes: float = FLOAT_BYTES,
    float_bytes: int = FLOAT_BYTES,
    checkpointing: bool = False,
    chunks: bool = True,
) -> float:
    """Return the bytes of the tensors of an update at their most.

    They are the weights, three floats for each trained parameter, what the layers keep for the gradient, and the
    logits, whose gradient takes their place. Inputs of linear layers are counted as kept by all methods, which is an
    upper bound for those that train nothing beside these layers. Scores of attention are not kept. The best weights so
    far are in the memory of the machine: beside all this where a processor trains, elsewhere where a GPU does.

    Args:
        sizes: of the model.
        batch: of an update, or of a part of it where memory suffices for no more.
        trained: what is trained.
        base_bytes: bytes of a weight of the model.
        float_bytes: bytes of an activation.
        checkpointing: whether activations inside of layers are computed again for the gradient.
        chunks: whether logits of a large vocabulary are computed in chunks.
    """
    beside = 0 if trained.base else trained.parameters
    held = base_bytes * sizes.total + FLOAT_BYTES * (beside + OPTIMISER_STATES * trained.parameters)
    source, target = _kept_of_each_token(sizes, checkpointing=checkpointing)
    kept = batch.rows * (batch.source * source + batch.target * target)
    logits = batch.labels * sizes.entries
    if chunks and logits > MOST_LOGITS:
        logits = COPIES_OF_CHUNK * MOST_LOGITS
    return held + float_bytes * kept + FLOAT_BYTES * logits


def _kept_of_each_token(sizes: ModelSizes, *, checkpointing: bool) -> tuple[float, float]:
    """Return the floats that layers keep for the gradient, for each source token and each target token."""
    if not checkpointing:
        return sizes.kept
    # A model with one stack reads sources in the layers of its decoder.
    deep = (layers or max(sizes.layers) for layers in sizes.layers)
    source, target = (layers * sizes.width + kept / layers for layers, kept in zip(deep, sizes.kept, strict=True))
    return source, target


def decoding_memory(
    sizes: ModelSizes, *, rows: float, source: float, target: float, base_bytes: float = FLOAT_BYTES
) -> float:
    """Return the bytes of the weights, of the cache of keys and values at its longest, and of two steps' logits.

    Args:
        sizes: of the model.
        rows: hypotheses of a batch, each beam counted.
        source: tokens of a source, with padding.
        target: tokens of the longest hypothesis.
        base_bytes: bytes of a weight of the model.
    """
    cached = 2 * sizes.cached_width * (sizes.self_attentions[1] * target + sizes.cross_attentions * source)
    return base_bytes * sizes.total + FLOAT_BYTES * rows * (cached + 2 * sizes.entries)
