"""The gradient of an update, summed over parts of its batch, so that the batch need not fit into memory at once.

Every mean of the loss stays one over the whole batch (see `objective`), so parts change the gradient by rounding alone.
Only dropout draws other masks in smaller parts. Where memory does not suffice, what was summed is dropped, and the
update is done again in parts of half the size.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from accelerate.utils.memory import clear_device_cache
from torch import nn

from mtpeft.training.domains import tell
from mtpeft.training.objective import TOKENS, Inputs, Objective, Sizes
from mtpeft.training.resources import is_out_of_memory


@dataclass(frozen=True)
class Gradient:
    """What is known of a gradient besides itself, which lies in the parameters.

    Attributes:
        loss: mean over the batch.
        tokens: target tokens of the batch.
        micro_batch_tokens: padded tokens of a part, on its longer side, or None where the batch was not cut.
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
    batch = of.objective.complete(batch)
    whole = of.objective.sizes(batch)
    while True:
        _drop_gradient(of.trained)
        torch.manual_seed(seed)
        try:
            losses = [_add_gradient(of, part, whole) for part in parts_of(batch, micro_batch_tokens)]
            return Gradient(torch.stack(losses).sum(), whole[TOKENS], micro_batch_tokens)
        except (RuntimeError, MemoryError) as error:
            smaller = halved(batch, micro_batch_tokens)
            if smaller is None or not is_out_of_memory(error):
                raise
        # Here nothing refers any more to the tensors of the part that was too large.
        micro_batch_tokens = smaller
        _drop_gradient(of.trained)
        clear_device_cache(garbage_collection=True)
        print(f"Out of memory; updates go on in parts of at most {smaller} padded tokens.", flush=True)


def _drop_gradient(trained: Iterable[nn.Parameter]) -> None:
    for parameter in trained:
        parameter.grad = None


def _add_gradient(of: Differentiated, part: Inputs, whole: Sizes) -> torch.Tensor:
    """Add the gradient of a part; returns its part of the loss."""
    inputs = {name: tensor.to(of.model.device) for name, tensor in part.items()}
    domains = inputs.pop("domains", None)
    if domains is not None:
        tell(of.takers, domains)
    return of.objective.backward(of.model, inputs, of.label_smoothing, whole)


def parts_of(batch: Inputs, micro_batch_tokens: int | None) -> Iterator[Inputs]:
    """Rows of a batch, one part after another, each of the width of the batch."""
    count, rows = len(batch["labels"]), _rows_of_a_part(batch, micro_batch_tokens)
    for first in range(0, count, rows):
        yield {name: tensor[first : first + rows] for name, tensor in batch.items()}


def halved(batch: Inputs, micro_batch_tokens: int | None) -> int | None:
    """Padded tokens of parts of a batch with half as many rows as they have, or None where they have one."""
    rows = _rows_of_a_part(batch, micro_batch_tokens)
    return rows // 2 * _width(batch) if rows > 1 else None


def _rows_of_a_part(batch: Inputs, micro_batch_tokens: int | None) -> int:
    count = len(batch["labels"])
    return count if micro_batch_tokens is None else min(count, max(1, micro_batch_tokens // _width(batch)))


def _width(batch: Inputs) -> int:
    """Tokens of the longer side of a batch."""
    return max(batch[name].shape[1] for name in ("input_ids", "labels"))
