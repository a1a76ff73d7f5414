"""What is forbidden gets no chance, in greedy search as in beam search."""

from dataclasses import dataclass

import torch

from mtpeft.models.special_tokens import Frame


@dataclass(frozen=True)
class ForbidTokens:
    """A logits processor, with tensors of the device of the scores.

    Attributes:
        begin: number of tokens that every hypothesis begins with.
        tokens: tokens that are nowhere.
        first: tokens that are not the first word.
        sequences: tokens that must not be followed by another, and that other.
    """

    begin: int
    tokens: torch.Tensor
    first: torch.Tensor
    sequences: tuple[tuple[torch.Tensor, int], ...]

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of the next tokens, (rows, vocabulary), where those of forbidden ones are minus infinity.

        `tokens` is what each row has so far, (rows, length). Beam search is made to say the language there.
        """
        if tokens.shape[1] < self.begin:
            return scores
        scores = scores.index_fill(1, self.tokens, -torch.inf)
        if tokens.shape[1] == self.begin:
            scores = scores.index_fill(1, self.first, -torch.inf)
        for before, last in self.sequences:
            if len(before) <= tokens.shape[1]:
                follows = (tokens[:, -len(before) :] == before).all(dim=1)
                scores[follows, last] = -torch.inf
        return scores


def forbid_tokens(frame: Frame, device: torch.device) -> ForbidTokens:
    """The processor of a model."""
    forbidden = frame.forbidden
    return ForbidTokens(
        begin=len(frame.begin),
        tokens=torch.tensor(forbidden.tokens, dtype=torch.long, device=device),
        first=torch.tensor(forbidden.first, dtype=torch.long, device=device),
        sequences=tuple((torch.tensor(words[:-1], device=device), words[-1]) for words in forbidden.sequences),
    )


@dataclass(frozen=True)
class EndAtLimit:
    """A logits processor that ends every hypothesis at its own limit.

    `generate` has one limit per batch: with it alone, what a beam finds would depend on the other rows.
    """

    limits: torch.Tensor
    frame: Frame

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave only the end token to rows, (sentences x beams), that have as many tokens as they may."""
        limits = self.limits.repeat_interleave(len(tokens) // len(self.limits))
        full = limits + len(self.frame.begin) <= tokens.shape[1]
        only_end = torch.full_like(scores, -torch.inf)
        only_end[:, self.frame.end] = 0
        return torch.where(full[:, None], only_end, scores)
