"""The cross-entropy over a large vocabulary, some target tokens at a time, so that no float of it is held for all.

The logits of 4,000 target tokens over 256,000 words are 4 GB of 32-bit floats, and their gradient as much again. Here
the model runs once as far as the states that go into its output projection. The projection, the loss and their gradient
are then computed for a chunk of these states after another, and the gradient of the states is handed to the model at
the end. Sums over chunks change results by rounding alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from mtpeft.core.options import ComputingPrecision
from mtpeft.models.computation import autocast
from mtpeft.models.memory import MOST_LOGITS
from mtpeft.training.cross_entropy import cross_entropy_in_place
from mtpeft.training.distributed import is_sharded
from mtpeft.training.fused_loss import fused_cross_entropy, is_fused


def needs_chunks(model: nn.Module, target_tokens: int) -> bool:
    """Return whether the logits of so many target tokens are too many at once.

    A sharded model gathers its output projection for one use, so its logits stay whole.
    """
    return target_tokens * _vocabulary_size(model) > MOST_LOGITS and not is_sharded(model)


def add_gradient_in_chunks(
    model: nn.Module,
    given: Mapping[str, Any],
    positions: torch.Tensor,
    *,
    labels: torch.Tensor,
    label_smoothing: float,
    precision: ComputingPrecision,
    tokens: int,
) -> torch.Tensor:
    """Add the gradient of the mean cross-entropy over the target tokens; returns these rows' part of it.

    Args:
        model: in training mode.
        given: its inputs without labels.
        positions: of the target tokens in the flat batch, shape (positions).
        labels: the target tokens, shape (positions).
        label_smoothing: share of the target distribution that goes to all words.
        precision: floats in which matrices are multiplied.
        tokens: number of target tokens of the whole batch.
    """
    output = model.get_output_embeddings()
    with states_before_output(model) as caught, autocast(precision, model.device):
        offset = model(**given, use_cache=False).logits.detach()
    (states,) = caught
    states = states.flatten(0, 1)[positions]
    if limit_of_logits(model.config) is None and is_fused(output, states.device):
        with autocast(precision, model.device):
            return fused_cross_entropy(
                states, output, offset, labels=labels, label_smoothing=label_smoothing, tokens=tokens
            )
    rows = max(1, MOST_LOGITS // _vocabulary_size(model))
    losses, gradients = [], []
    for chunk, own in zip(states.detach().split(rows), labels.split(rows), strict=True):
        chunk = chunk.requires_grad_()
        with autocast(precision, model.device):
            logits = bent(output(chunk) + offset, model.config).float()
        gradient = logits.detach()
        losses.append(cross_entropy_in_place(gradient, own, label_smoothing=label_smoothing, tokens=tokens))
        logits.backward(gradient)
        gradients.append(chunk.grad)
    if states.requires_grad:
        states.backward(torch.cat(gradients))
    return torch.stack(losses).sum()


@contextmanager
def states_before_output(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Catch what goes into the output projection while this is open, in the place of computing logits.

    The model then returns one row in the place of its logits: what it adds to them, such as a bias of each word.
    """
    output, caught = model.get_output_embeddings(), []
    own = output.__dict__.get("forward")

    def forward(states: torch.Tensor) -> torch.Tensor:
        caught.append(states)
        return states.new_zeros(1, _vocabulary_size(model))

    output.forward = forward
    try:
        yield caught
    finally:
        del output.forward
        if own is not None:
            output.forward = own


def bent(logits: torch.Tensor, config: Any) -> torch.Tensor:
    """Return logits as a model has them behind its output projection; Gemma 2 keeps them below a limit by tanh."""
    limit = limit_of_logits(config)
    return logits if limit is None else limit * torch.tanh(logits / limit)


def limit_of_logits(config: Any) -> float | None:
    """Return the limit below which a model keeps its logits, if it has one."""
    return getattr(config, "final_logit_softcapping", None)


def _vocabulary_size(model: nn.Module) -> int:
    return model.get_output_embeddings().weight.shape[0]
