"""The loss of an update and its gradient, in the memory of the logits: they are the largest tensor by far.

Cross-entropy through autograd holds three of their size at once and goes through them twice as often.
"""

import torch

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
