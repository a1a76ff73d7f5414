"""Disk and memory of the cells of a study: by their records where they are finished, else in closed form."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from mtpeft.cells import ANY, Cell
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole
from mtpeft.front.prices.gpus import BF16
from mtpeft.front.prices.work import DECODED_TOKENS, shape_of, sizes_of, trained_in
from mtpeft.models.memory import CHECKPOINT_FLOATS, decoding_memory, training_memory
from mtpeft.models.operations import FLOAT_BYTES, BatchSize

CHECKPOINTS = 2
"""Checkpoints of a training that are on the disk while one is written: it, and the one before it."""
SHORT = 20
"""Tokens of a source in the batch of decoding that needs the most memory: one of many short sentences."""


@dataclass(frozen=True)
class Storage:
    """What the cells of a study need; numbers are bytes.

    Attributes:
        stored: tuned weights of all cells, finished ones by their records.
        states: largest checkpoints of as many trainings as run at once.
        memory: of the tensors of the largest cell.
        largest: that cell; None where no shape is known.
        unknown: whether cells are left out whose model's shape is not known yet.
    """

    stored: float
    states: float
    memory: float
    largest: Cell | None
    unknown: bool


def storage_of(configuration: Configuration, cells: Iterable[Cell], *, at_once: int) -> Storage:
    """Return what cells need that are given with their folders, of which so many are trained at once."""
    stored, states, memory, unknown = 0.0, [], {}, False
    for cell in cells:
        is_known = cell.model == ANY or shape_of(configuration, cell.model) is not None
        unknown |= not is_known
        if cell.model == ANY or not is_known:
            continue
        trained, finished = trained_in(configuration, cell), read_if_whole(cell.folder / "train.json")
        stored += finished[0]["stored_bytes"] if finished else FLOAT_BYTES * trained.stored if trained else 0
        if trained and not finished:
            states.append(CHECKPOINTS * FLOAT_BYTES * CHECKPOINT_FLOATS * trained.part.parameters)
        memory[cell] = memory_of(configuration, cell)
    largest = max(memory, key=lambda cell: memory[cell], default=None)
    return Storage(
        stored=stored,
        states=sum(sorted(states)[-at_once:]),
        memory=memory[largest] if largest else 0.0,
        largest=largest,
        unknown=unknown,
    )


def memory_of(configuration: Configuration, cell: Cell) -> float:
    """Return the bytes of the tensors of a cell in training or in decoding, whichever has more.

    Batches are taken to be full on both sides. Of several GPUs each has its share of the rows.
    """
    model, sizes = configuration.models[cell.model], sizes_of(configuration, cell.model)
    assert sizes is not None
    base, longest = _base_bytes(configuration, cell.model), configuration.decoding.max_length_ratio * SHORT
    decoding = decoding_memory(sizes, rows=DECODED_TOKENS / SHORT, source=SHORT, target=longest, base_bytes=base)
    trained = trained_in(configuration, cell)
    if trained is None:
        return decoding
    tokens = configuration.training.batch_tokens / model.gpus
    tokens = min(tokens, model.micro_batch_tokens or tokens)
    batch = BatchSize(1, tokens, tokens, tokens)
    floats = FLOAT_BYTES // 2 if configuration.training.precision == BF16 else FLOAT_BYTES
    training = training_memory(
        sizes,
        batch,
        trained.part,
        base_bytes=base,
        float_bytes=floats,
        checkpointing=model.gradient_checkpointing or model.offload is not None,
        chunks=not model.sharded,
    )
    return max(decoding, training)


@lru_cache(maxsize=256)
def _base_bytes(configuration: Configuration, label: str) -> float:
    """Return the bytes that a weight of a base model takes on its device: those of linear layers may be quantised.

    Of a model with `offload`, one layer at a time is there.
    """
    model, shape = configuration.models[label], shape_of(configuration, label)
    floats = FLOAT_BYTES if model.precision == "float32" else FLOAT_BYTES / 2
    if shape is None:
        return floats
    packed = sum(own.parameters for own in shape.linears)
    if model.offload:
        return (shape.total - packed + packed / len(shape.layers)) * floats / shape.total
    if not model.quantised:
        return floats
    return (packed * model.quantised / 8 + (shape.total - packed) * floats) / shape.total
