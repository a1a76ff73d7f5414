"""The cross-entropy of some target tokens with its gradient, which takes the place of their logits."""

import torch

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
