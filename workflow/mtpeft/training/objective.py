"""The training objective: the cross-entropy of the targets, with its gradient. Other objectives have the same form.

A loss is a mean over the batch of an update, and its gradient is computed one micro-batch after another. A micro-batch
is weighted by its share of the mean's denominator, such as the number of target tokens, so an objective counts that.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from mtpeft.core.options import ComputingPrecision
from mtpeft.data.token_arrays import IGNORED
from mtpeft.models.computation import autocast
from mtpeft.training.chunked_loss import add_gradient_in_chunks, needs_chunks
from mtpeft.training.cross_entropy import cross_entropy_in_place

ModelInputs = Mapping[str, torch.Tensor]
Denominators = Mapping[str, int]
"""Denominators of the means, by name; `tokens` is the number of target tokens."""
TOKENS = "tokens"
TARGET_POSITIONS = "target_positions"
"""Name of an input beside those of the model: where there is a label, as positions in the flat batch.

They are found before a batch is copied to a GPU, which would stand still until it has told how many there are.
"""


@dataclass(frozen=True)
class LossOptions:
    """What a loss depends on besides the model and its inputs.

    Attributes:
        label_smoothing: share of the target distribution that goes to all words.
        precision: floats in which matrices are multiplied.
    """

    label_smoothing: float
    precision: ComputingPrecision = "float32"


@dataclass(frozen=True)
class Objective:
    """The loss that an update minimises, with its gradient.

    Attributes:
        backward: adds the gradient of some rows of a batch to the parameters, and returns their part of the loss; gets
            a model, the rows with their `labels` and `target_positions`, the options, and the sizes of the whole batch.
        sizes: the denominators for a batch or for some of its rows.
        complete: adds to a batch the inputs that a row takes from the others.
    """

    backward: Callable[[nn.Module, ModelInputs, LossOptions, Denominators], torch.Tensor]
    sizes: Callable[[ModelInputs], Denominators]
    complete: Callable[[ModelInputs], ModelInputs] = lambda batch: batch


def target_tokens(inputs: ModelInputs) -> Denominators:
    """Count the target tokens."""
    return {TOKENS: int((inputs["labels"] != IGNORED).sum())}


def _likelihood(model: nn.Module, inputs: ModelInputs, options: LossOptions, whole: Denominators) -> torch.Tensor:
    """Add the gradient of the mean cross-entropy over the target tokens."""
    given = {name: tensor for name, tensor in inputs.items() if name not in ("labels", TARGET_POSITIONS)}
    positions = inputs[TARGET_POSITIONS]
    labels = inputs["labels"].flatten()[positions]
    if needs_chunks(model, len(positions)):
        return add_gradient_in_chunks(
            model,
            given,
            positions,
            labels=labels,
            label_smoothing=options.label_smoothing,
            precision=options.precision,
            tokens=whole[TOKENS],
        )
    with only_logits_of(model, positions), autocast(options.precision, model.device):
        logits = model(**given, use_cache=False).logits
    logits = logits.float()
    gradient = logits.detach()
    smoothing = options.label_smoothing
    loss = cross_entropy_in_place(gradient, labels, label_smoothing=smoothing, tokens=whole[TOKENS])
    logits.backward(gradient)
    return loss


likelihood = Objective(_likelihood, target_tokens)
"""Mean cross-entropy over the target tokens."""


def target_positions(labels: torch.Tensor) -> torch.Tensor:
    """Return where there is a label, as positions in the flat batch."""
    return (labels != IGNORED).flatten().nonzero().flatten()


@contextmanager
def only_logits_of(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Compute logits of some target positions alone while this is open, since the output layer costs the most.

    The logits then have the shape (positions, vocabulary).

    Args:
        model: one whose output layer gets states of shape (batch, length, width).
        positions: in the flat batch, shape (positions).
    """
    chosen = model.get_output_embeddings().register_forward_pre_hook(
        lambda _, states: (states[0].flatten(0, 1)[positions],)
    )
    try:
        yield
    finally:
        chosen.remove()
