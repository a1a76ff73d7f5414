"""What an update minimises: the cross-entropy of the targets, with its gradient. Other objectives have its form.

A loss is a mean over the batch of an update. Its gradient is computed part by part of the batch's rows, each weighed by
its share in what the mean is over, so an objective says what that is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from mtpeft.data.token_arrays import IGNORED

Inputs = Mapping[str, torch.Tensor]
Sizes = Mapping[str, int]
"""What means are over, by name; `tokens` are those of the targets."""
TOKENS = "tokens"


@dataclass(frozen=True)
class Objective:
    """What an update minimises.

    Attributes:
        backward: from a model, rows of a batch with `labels`, the label smoothing, and sizes of the whole batch, adds
            the gradient of these rows to the parameters, and returns their part of the loss.
        sizes: of a batch, or of rows of it.
        complete: the batch with what a row needs of the others.
    """

    backward: Callable[[nn.Module, Inputs, float, Sizes], torch.Tensor]
    sizes: Callable[[Inputs], Sizes]
    complete: Callable[[Inputs], Inputs] = lambda batch: batch


def target_tokens(inputs: Inputs) -> Sizes:
    """The number of target tokens."""
    return {TOKENS: int((inputs["labels"] != IGNORED).sum())}


def _likelihood(model: nn.Module, inputs: Inputs, label_smoothing: float, whole: Sizes) -> torch.Tensor:
    """Mean cross-entropy over the target tokens."""
    given = {name: tensor for name, tensor in inputs.items() if name != "labels"}
    labels = inputs["labels"]
    judged = labels != IGNORED
    with only_logits_of(model, judged):
        logits = model(**given, use_cache=False).logits.float()
    gradient = logits.detach()
    loss = cross_entropy_in_place(gradient, labels[judged], label_smoothing=label_smoothing, tokens=whole[TOKENS])
    logits.backward(gradient)
    return loss


likelihood = Objective(_likelihood, target_tokens)
"""Mean cross-entropy over the target tokens."""


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


LEAST = torch.finfo(torch.float32).tiny
"""What a probability counts as that is too small for a float: 87 nats, which only a model that has diverged reaches."""


@torch.no_grad()
def cross_entropy_in_place(
    logits: torch.Tensor, labels: torch.Tensor, *, label_smoothing: float, tokens: int
) -> torch.Tensor:
    """What these tokens add to the mean cross-entropy over all tokens of a batch; the logits become its gradient, for
    `backward` of what they were computed by.

    With label smoothing the target is a mixture of the label and of all words alike (Szegedy et al. 2016,
    arXiv 1512.00567), as in `torch.nn.functional.cross_entropy`.

    Args:
        logits: 32-bit floats of shape (own tokens, vocabulary).
        labels: shape (own tokens).
        label_smoothing: share of the mixture that goes to all words.
        tokens: of the batch that these are a part of.
    """
    own, vocabulary = logits.shape
    rows = torch.arange(own, device=logits.device)
    lead = logits[rows, labels] - logits.mean(dim=-1) if label_smoothing else 0.0
    torch.softmax(logits, dim=-1, out=logits)
    losses = label_smoothing * lead - logits[rows, labels].clamp_min(LEAST).log()
    if label_smoothing:
        logits -= label_smoothing / vocabulary
    logits[rows, labels] -= 1 - label_smoothing
    logits /= tokens
    return losses.sum() / tokens
