"""The work of serving cells with experts: making these once for each cell, and a decoding for each number of them.

Operations of making experts are those of reading the training sentences, of counting which hidden units are active
together, of the eigenvectors of these counts, of balanced k-means, and of the routers; the least is left out.
"""

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.decoding.experts.partition import ROUNDS
from mtpeft.front.prices.text import text_of
from mtpeft.front.prices.work import Work, shape_of, sizes_of
from mtpeft.models.feed_forward import PER_WEIGHT, ROUTER_EPOCHS, ROUTER_WIDTH, expert_blocks
from mtpeft.models.operations import BatchSize, forward_operations

EIGENVECTORS = 10
"""Operations of the eigenvectors of a symmetric matrix, in cubes of its width, about."""
FORWARD_AND_BACKWARD = 3
"""Times that an update of a router computes what reading with it does."""


def making_experts(configuration: Configuration, cell: Cell) -> Work | None:
    """Return the work of splitting the feed-forward blocks of a cell; None before its model is fetched."""
    shape, sizes = shape_of(configuration, cell.model), sizes_of(configuration, cell.model)
    if shape is None or sizes is None:
        return None
    moe, text = configuration.serving.moe, text_of(configuration, cell.model, cell.pair, "train")
    known = configuration.sizes[cell.size].pairs if cell.size in configuration.sizes else text.sentences
    sentences = min(moe.sentences, known)
    reading = forward_operations(sizes, BatchSize(sentences, text.source, text.target, sentences * text.target))
    total = reading * (2 if moe.router == "mlp" else 1)
    for block in expert_blocks(shape, moe.experts):
        tokens = sentences * (text.source if "encoder" in block.opening else text.target)
        total += PER_WEIGHT * tokens * block.hidden**2
        if moe.split == "co-activation":
            total += EIGENVECTORS * block.hidden**3
        columns = moe.experts if moe.split == "co-activation" else block.width
        total += ROUNDS * PER_WEIGHT * block.hidden * moe.experts * columns
        if moe.router == "mlp":
            weights = ROUTER_WIDTH * (block.width + moe.experts)
            total += ROUTER_EPOCHS * FORWARD_AND_BACKWARD * PER_WEIGHT * tokens * weights
    return Work(training=total)
