"""The training objective: the cross-entropy of the targets, with its gradient. Other objectives have the same form.

A loss is a mean over the batch of an update, and its gradient is computed one micro-batch after another. A micro-batch
is weighted by its share of the mean's denominator, such as the number of target tokens, so an objective counts that.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from mtpeft.data.token_arrays import IGNORED

ModelInputs = Mapping[str, torch.Tensor]
Denominators = Mapping[str, int]
"""Denominators of the means, by name; `tokens` is the number of target tokens."""
TOKENS = "tokens"


@dataclass(frozen=True)
class Objective:
    """The loss that an update minimises, with its gradient.

    Attributes:
        backward: adds the gradient of some rows of a batch to the parameters, and returns their part of the loss; gets
            a model, the rows with their `labels`, the label smoothing, and the sizes of the whole batch.
        sizes: the denominators for a batch or for some of its rows.
        complete: adds to a batch the inputs that a row takes from the others.
    """

    backward: Callable[[nn.Module, ModelInputs, float, Denominators], torch.Tensor]
    sizes: Callable[[ModelInputs], Denominators]
    complete: Callable[[ModelInputs], ModelInputs] = lambda batch: batch


def target_tokens(inputs: ModelInputs) -> Denominators:
    """Count the target tokens."""
    return {TOKENS: int((inputs["labels"] != IGNORED).sum())}


def _likelihood(model: nn.Module, inputs: ModelInputs, label_smoothing: float, whole: Denominators) -> torch.Tensor:
    """Add the gradient of the mean cross-entropy over the target tokens."""
    given = {name: tensor for name, tensor in inputs.items() if name != "labels"}
    labels = inputs["labels"]
    predicted = labels != IGNORED
    with only_logits_of(model, predicted):
        logits = model(**given, use_cache=False).logits.float()
    gradient = logits.detach()
    loss = cross_entropy_in_place(gradient, labels[predicted], label_smoothing=label_smoothing, tokens=whole[TOKENS])
    logits.backward(gradient)
    return loss


likelihood = Objective(_likelihood, target_tokens)
"""Mean cross-entropy over the target tokens."""


@contextmanager
def only_logits_of(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Compute logits of some target positions alone while this is open, since the output layer costs the most.

    The logits then have the shape (positions, vocabulary).

    Args:
        model: one whose output layer gets states of shape (batch, length, width).
        positions: true where there is a label, shape (batch, length).
    """
    chosen = model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (states[0][positions],))
    try:
        yield
    finally:
        chosen.remove()


LEAST = torch.finfo(torch.float32).tiny
"""Smallest probability of a float, 87 nats, in the place of zero; only a model that has diverged comes near it."""


@torch.no_grad()
def cross_entropy_in_place(
    logits: torch.Tensor, labels: torch.Tensor, *, label_smoothing: float, tokens: int
) -> torch.Tensor:
    """Return the part of some tokens in the mean cross-entropy of a batch, and turn their logits into its gradient.

    With label smoothing the target is a mixture of the label and of all words alike (Szegedy et al. 2016,
    arXiv 1512.00567), as in `torch.nn.functional.cross_entropy`.

    Args:
        logits: 32-bit floats, shape (own tokens, vocabulary); they are overwritten.
        labels: shape (own tokens).
        label_smoothing: share of the mixture that goes to all words.
        tokens: number of target tokens of the whole batch.
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
