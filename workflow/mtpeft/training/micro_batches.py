"""The gradient of an update, summed over parts of its batch: over those of several processes that train together, and
over smaller ones, so that the rows of a process need not fit into its memory at once.

Every mean of the loss stays one over the whole batch (see `objective`), so parts change the gradient by rounding alone.
Only dropout draws other masks. Where memory does not suffice, what was summed is dropped, and the update is done again
in parts of half the size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils.memory import clear_device_cache
from torch import nn

from mtpeft.core.failures import is_out_of_memory
from mtpeft.core.files import write_text
from mtpeft.data.token_arrays import IGNORED
from mtpeft.methods.task_ids import tell
from mtpeft.training.distributed import ALONE, Ranks, is_sharded, is_true_in_any, ranks, sum_gradients, sum_over_ranks
from mtpeft.training.launch import speaks
from mtpeft.training.objective import TOKENS, Inputs, Objective, Sizes

SEEDS = 48
"""Bits of a seed below those that are other ones in every process."""


@dataclass(frozen=True)
class Gradient:
    """What is known of a gradient besides itself, which lies in the parameters.

    Attributes:
        loss: mean over the batch.
        tokens: target tokens of the batch.
        micro_batch_tokens: padded tokens of a part, on its longer side, or None where nothing was cut.
    """

    loss: torch.Tensor
    tokens: int
    micro_batch_tokens: int | None


@dataclass(frozen=True)
class Differentiated:
    """What the gradient of an update is of.

    Attributes:
        model: in training mode.
        trained: its parameters that are trained.
        objective: what is minimised.
        label_smoothing: of the objective.
        takers: modules that are told the `domains` of the rows that they see.
    """

    model: nn.Module
    trained: Sequence[nn.Parameter]
    objective: Objective
    label_smoothing: float
    takers: Iterable[nn.Module]


def put_gradient(of: Differentiated, batch: Inputs, *, seed: int, micro_batch_tokens: int | None) -> Gradient:
    """Put the gradient of a batch into the parameters, in the place of what lay there.

    Args:
        of: what is differentiated.
        batch: inputs of an update, with `labels` of shape (batch, length), and of a group of pairs with `domains`.
        seed: of the random numbers.
        micro_batch_tokens: most padded tokens of a part on its longer side; a part has at least one row.

    Raises:
        torch.OutOfMemoryError: a row alone is too much; on a processor a RuntimeError.
    """
    batch, together = of.objective.complete(batch), ranks()
    whole = of.objective.sizes(batch)
    while True:
        _drop_gradient(of.trained)
        torch.manual_seed(seed + (together.index << SEEDS))
        smaller = halved(batch, micro_batch_tokens, together)
        parts = parts_of(batch, micro_batch_tokens, together, even=is_sharded(of.model))
        loss = _add_gradients(of, parts, whole, last_try=smaller is None)
        if loss is not None:
            break
        # Here nothing refers any more to the tensors of the part that was too large.
        micro_batch_tokens = smaller
        _drop_gradient(of.trained)
        clear_device_cache(garbage_collection=True)
        if speaks():
            print(f"Out of memory; updates go on in parts of at most {smaller} padded tokens.", flush=True)
    if not is_sharded(of.model):
        sum_gradients(of.trained)
    sum_over_ranks([loss])
    return Gradient(loss, whole[TOKENS], micro_batch_tokens)


def _drop_gradient(trained: Iterable[nn.Parameter]) -> None:
    for parameter in trained:
        parameter.grad = None


def _add_gradients(of: Differentiated, parts: Iterable[Inputs], whole: Sizes, *, last_try: bool) -> torch.Tensor | None:
    """Add the gradients of parts; returns their part of the loss, or None where a process ran out of memory.

    Raises:
        torch.OutOfMemoryError: it did so at the last try; on a processor a RuntimeError.
    """
    try:
        loss = sum((_add_gradient(of, part, whole) for part in parts), start=torch.zeros((), device=of.model.device))
    except (RuntimeError, MemoryError) as error:
        # Of a sharded model other processes wait for this one in the midst of a layer, so it can't ask them.
        if not is_out_of_memory(error) or is_sharded(of.model):
            raise
        is_true_in_any(True)
        if last_try:
            raise
        return None
    if is_sharded(of.model) or not is_true_in_any(False):
        return loss
    if last_try:
        raise torch.OutOfMemoryError("Another process had no memory for a row alone")
    return None


def _add_gradient(of: Differentiated, part: Inputs, whole: Sizes) -> torch.Tensor:
    """Add the gradient of a part; returns its part of the loss."""
    inputs = {name: tensor.to(of.model.device) for name, tensor in part.items()}
    domains = inputs.pop("domains", None)
    if domains is not None:
        tell(of.takers, domains)
    return of.objective.backward(of.model, inputs, of.label_smoothing, whole)


def parts_of(
    batch: Inputs, micro_batch_tokens: int | None, together: Ranks = ALONE, *, even: bool = False
) -> Iterator[Inputs]:
    """The rows of a batch that are this process's, one part after another, each of the width of the batch.

    With `even`, one that has fewer parts than others has more that add nothing: a row of the batch without its labels.
    """
    rows = _rows_of_a_part(batch, micro_batch_tokens, together)
    own = {name: tensor[together.index :: together.count] for name, tensor in batch.items()}
    for first in range(0, _most_rows(batch, together), rows):
        part = {name: tensor[first : first + rows] for name, tensor in own.items()}
        if len(part["labels"]):
            yield part
        elif even:
            alone = {name: tensor[:1] for name, tensor in batch.items()}
            yield {**alone, "labels": torch.full_like(alone["labels"], IGNORED)}


def halved(batch: Inputs, micro_batch_tokens: int | None, together: Ranks = ALONE) -> int | None:
    """Padded tokens of parts of a batch with half as many rows as they have, or None where they have one."""
    rows = _rows_of_a_part(batch, micro_batch_tokens, together)
    return rows // 2 * _width(batch) if rows > 1 else None


def smallest(*micro_batch_tokens: int | None) -> int | None:
    """The smallest one of micro-batches, of which any may be the whole batch."""
    return min((size for size in micro_batch_tokens if size is not None), default=None)


def _rows_of_a_part(batch: Inputs, micro_batch_tokens: int | None, together: Ranks) -> int:
    most = _most_rows(batch, together)
    return most if micro_batch_tokens is None else min(most, max(1, micro_batch_tokens // _width(batch)))


def _most_rows(batch: Inputs, together: Ranks) -> int:
    """Rows of the process that has the most."""
    return -(-len(batch["labels"]) // together.count)


def _width(batch: Inputs) -> int:
    """Tokens of the longer side of a batch."""
    return max(batch[name].shape[1] for name in ("input_ids", "labels"))


NOTE = "micro_batch_tokens"


@contextmanager
def noting_shortage(folder: Path, smaller: Callable[[], int | None]) -> Iterator[None]:
    """Note the micro-batch that the next attempt shall take, if memory does not suffice and there is a smaller one."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error) and (tokens := smaller()):
            write_text(folder / NOTE, f"{tokens}\n")
        raise


def noted_micro_batch(folder: Path) -> int | None:
    """What was noted, if anything was."""
    note = folder / NOTE
    return int(note.read_text(encoding="utf-8")) if note.exists() else None
