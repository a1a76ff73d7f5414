"""Logits processors: what greedy search and beam search do with the scores of the next token."""

from dataclasses import dataclass

import torch

from mtpeft.models.special_tokens import SpecialTokens


@dataclass(frozen=True)
class ForbidTokens:
    """Give forbidden tokens no chance; the tensors lie on the device of the scores.

    Attributes:
        begin: number of tokens that every hypothesis begins with.
        tokens: tokens that are forbidden everywhere.
        first: tokens that are forbidden as the first word.
        sequences: tokens, each with the one that must not follow them.
    """

    begin: int
    tokens: torch.Tensor
    first: torch.Tensor
    sequences: tuple[tuple[torch.Tensor, int], ...]

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Set the scores of forbidden next tokens to minus infinity, in place, and return them.

        Args:
            tokens: what each row has so far, shape (rows, length).
            scores: of the next tokens, shape (rows, vocabulary).
        """
        # Beam search is forced to begin with the language token, which may be forbidden as a word.
        if tokens.shape[1] < self.begin:
            return scores
        scores.index_fill_(1, self.tokens, -torch.inf)
        if tokens.shape[1] == self.begin:
            scores.index_fill_(1, self.first, -torch.inf)
        for before, last in self.sequences:
            if len(before) <= tokens.shape[1]:
                follows = (tokens[:, -len(before) :] == before).all(dim=1)
                scores[follows, last] = -torch.inf
        return scores


def forbid_tokens(special_tokens: SpecialTokens, device: torch.device) -> ForbidTokens:
    """Return the processor of a model."""
    forbidden = special_tokens.forbidden
    return ForbidTokens(
        begin=len(special_tokens.begin),
        tokens=torch.tensor(forbidden.tokens, dtype=torch.long, device=device),
        first=torch.tensor(forbidden.first, dtype=torch.long, device=device),
        sequences=tuple((torch.tensor(words[:-1], device=device), words[-1]) for words in forbidden.sequences),
    )
