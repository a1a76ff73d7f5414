"""What an update minimises: the cross-entropy of the targets, with its gradient. Other objectives have its form."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from mtpeft.tokens.arrays import IGNORED
from mtpeft.training.loss import cross_entropy_in_place

Inputs = Mapping[str, torch.Tensor]
Objective = Callable[[nn.Module, Inputs, float], tuple[torch.Tensor, int]]
"""From a model, the inputs of an update with `labels`, and the label smoothing: adds the gradient to the parameters
and returns the loss and the number of target tokens."""


def likelihood(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], label_smoothing: float
) -> tuple[torch.Tensor, int]:
    """Mean cross-entropy over the target tokens."""
    given = {name: tensor for name, tensor in inputs.items() if name != "labels"}
    labels = inputs["labels"]
    judged = labels != IGNORED
    with only_logits_of(model, judged):
        logits = model(**given, use_cache=False).logits.float()
    gradient = logits.detach()
    loss = cross_entropy_in_place(gradient, labels[judged], label_smoothing=label_smoothing)
    logits.backward(gradient)
    return loss, len(logits)


@contextmanager
def only_logits_of(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Logits of these target positions alone, as (positions, vocabulary): the output layer is the dearest by far.

    Args:
        model: any that has its output layer applied to states of shape (batch, length, width).
        positions: true where there is a label: shape (batch, length).
    """
    chosen = model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (states[0][positions],))
    try:
        yield
    finally:
        chosen.remove()
