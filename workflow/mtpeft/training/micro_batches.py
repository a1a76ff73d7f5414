"""Gradient accumulation: the gradient of an update, summed over the micro-batches of its batch.

The rows of a batch are shared among the processes that train together, and each process cuts its rows into
micro-batches, so that they need not fit into its memory at once. Every mean of the loss stays one over the whole batch
(see `objective`), so micro-batches change the gradient by rounding alone, and only dropout draws other masks.

Out-of-memory back-off: where memory does not suffice, what was summed is dropped, and the update is made again in
micro-batches of half the size. Processes that hold shards of a model wait for each other in the midst of a layer, so
one that runs out of memory there can neither ask the others for smaller micro-batches nor save with them: it notes the
size with which the next attempt begins.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils.memory import clear_device_cache
from torch import nn

from mtpeft.core.files import write_text
from mtpeft.core.machine_failures import is_out_of_memory
from mtpeft.data.batch_layout import prompt_lengths
from mtpeft.data.token_arrays import IGNORED
from mtpeft.methods.task_ids import assign_task_ids
from mtpeft.methods.token_sides import assign_prompt_lengths
from mtpeft.models.computation import tf32_where_chosen
from mtpeft.training.distributed import ALONE, Ranks, is_sharded, is_true_in_any, ranks, sum_gradients, sum_over_ranks
from mtpeft.training.launch import prints
from mtpeft.training.objective import (
    TARGET_POSITIONS,
    TOKENS,
    Denominators,
    LossOptions,
    ModelInputs,
    Objective,
    target_positions,
)

SEED_BITS = 48
"""Bits of a seed that all processes share; the bits above them are the process's own."""


@dataclass(frozen=True)
class Gradient:
    """Loss, token count and micro-batch size of a gradient, which itself is in the parameters' `.grad`.

    Attributes:
        loss: mean over the batch.
        tokens: target tokens of the batch.
        micro_batch_tokens: padded tokens of a micro-batch, on its longer side; None where the batch was not cut.
    """

    loss: torch.Tensor
    tokens: int
    micro_batch_tokens: int | None


@dataclass(frozen=True)
class TrainedModel:
    """A model with what the gradient of an update depends on besides the batch.

    Attributes:
        model: in training mode.
        trained: parameters that are trained.
        objective: what is minimised.
        options: of the loss.
        task_modules: modules that need the task ids of the rows that they see.
    """

    model: nn.Module
    trained: Sequence[nn.Parameter]
    objective: Objective
    options: LossOptions
    task_modules: Iterable[nn.Module]


def accumulate_gradients(
    of: TrainedModel, batch: ModelInputs, *, seed: int, micro_batch_tokens: int | None
) -> Gradient:
    """Compute the gradient of a batch into the parameters, in the place of the last one.

    Args:
        of: the model and what is minimised.
        batch: inputs of an update, with `labels` of shape (batch, length), and for several pairs with `task_ids`.
        seed: seed of the dropout masks.
        micro_batch_tokens: most padded tokens of a micro-batch on its longer side; it has at least one row.

    Raises:
        torch.OutOfMemoryError: one row alone is too much; on a CPU it is a RuntimeError.
    """
    batch, together = of.objective.complete(batch), ranks()
    whole = of.objective.sizes(batch)
    while True:
        _drop_gradient(of.trained)
        _seed_dropout(of.model.device, seed + (together.index << SEED_BITS))
        smaller = halved_micro_batch(batch, micro_batch_tokens, together)
        parts = micro_batches_of(batch, micro_batch_tokens, together, even=is_sharded(of.model))
        loss = _add_gradients(of, parts, whole, last_try=smaller is None)
        if loss is not None:
            break
        # Nothing refers to the tensors of the micro-batch that was too large from here on.
        micro_batch_tokens = smaller
        _drop_gradient(of.trained)
        clear_device_cache(garbage_collection=True)
        if prints():
            print(f"Out of memory; updates go on in micro-batches of at most {smaller} padded tokens.", flush=True)
    if not is_sharded(of.model):
        sum_gradients(of.trained)
    sum_over_ranks([loss])
    return Gradient(loss, whole[TOKENS], micro_batch_tokens)


def _seed_dropout(device: torch.device, seed: int) -> None:
    """Seed the generator of a device; `torch.manual_seed` formats the call stack for each kind that is not in use."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _drop_gradient(trained: Iterable[nn.Parameter]) -> None:
    for parameter in trained:
        parameter.grad = None


def _add_gradients(
    of: TrainedModel, parts: Iterable[ModelInputs], whole: Denominators, *, last_try: bool
) -> torch.Tensor | None:
    """Add the gradients of micro-batches; returns their part of the loss, or None where a process ran out of memory.

    Raises:
        torch.OutOfMemoryError: it did so at the last try; on a CPU it is a RuntimeError.
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


def _add_gradient(of: TrainedModel, part: ModelInputs, whole: Denominators) -> torch.Tensor:
    """Add the gradient of a micro-batch; returns its part of the loss."""
    given = {**part, TARGET_POSITIONS: target_positions(part["labels"])}
    inputs = {name: tensor.to(of.model.device, non_blocking=True) for name, tensor in given.items()}
    task_ids = inputs.pop("task_ids", None)
    if task_ids is not None:
        assign_task_ids(of.task_modules, task_ids)
    assign_prompt_lengths(of.task_modules, prompt_lengths(part["labels"]))
    try:
        with tf32_where_chosen(of.options.precision):
            return of.objective.backward(of.model, inputs, of.options, whole)
    finally:
        assign_prompt_lengths(of.task_modules, None)


def micro_batches_of(
    batch: ModelInputs, micro_batch_tokens: int | None, together: Ranks = ALONE, *, even: bool = False
) -> Iterator[ModelInputs]:
    """Yield the micro-batches of this process's rows of a batch, each of the width of the batch.

    With `even`, every process gets as many as the others; additional ones have a row without labels and add nothing.
    """
    rows = _rows_of_micro_batch(batch, micro_batch_tokens, together)
    own = {name: tensor[together.index :: together.count] for name, tensor in batch.items()}
    for first in range(0, _most_rows(batch, together), rows):
        part = {name: tensor[first : first + rows] for name, tensor in own.items()}
        if len(part["labels"]):
            yield part
        elif even:
            alone = {name: tensor[:1] for name, tensor in batch.items()}
            yield {**alone, "labels": torch.full_like(alone["labels"], IGNORED)}


def halved_micro_batch(batch: ModelInputs, micro_batch_tokens: int | None, together: Ranks = ALONE) -> int | None:
    """Return the padded tokens of micro-batches with half as many rows, or None where they have one row."""
    rows = _rows_of_micro_batch(batch, micro_batch_tokens, together)
    return rows // 2 * _width(batch) if rows > 1 else None


def smallest_micro_batch(*micro_batch_tokens: int | None) -> int | None:
    """Return the smallest of these sizes; None stands for the whole batch."""
    return min((size for size in micro_batch_tokens if size is not None), default=None)


def _rows_of_micro_batch(batch: ModelInputs, micro_batch_tokens: int | None, together: Ranks) -> int:
    most = _most_rows(batch, together)
    return most if micro_batch_tokens is None else min(most, max(1, micro_batch_tokens // _width(batch)))


def _most_rows(batch: ModelInputs, together: Ranks) -> int:
    """Return the rows of the process that has the most."""
    return -(-len(batch["labels"]) // together.count)


def _width(batch: ModelInputs) -> int:
    """Return the tokens of the longer side of a batch."""
    return max(batch[name].shape[1] for name in ("input_ids", "labels"))


NOTE = "micro_batch_tokens"
"""File beside the checkpoint that holds the size for the next attempt."""


@contextmanager
def note_out_of_memory(folder: Path, smaller: Callable[[], int | None]) -> Iterator[None]:
    """Note the size for the next attempt, given by `smaller`, where memory does not suffice for this one."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error) and (tokens := smaller()):
            write_text(folder / NOTE, f"{tokens}\n")
        raise


def noted_micro_batch(folder: Path) -> int | None:
    """Return the size that an earlier attempt has noted, if any."""
    note = folder / NOTE
    return int(note.read_text(encoding="utf-8")) if note.exists() else None
