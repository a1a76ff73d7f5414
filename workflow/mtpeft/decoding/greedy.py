"""Greedy search with a key-value cache, in which a sentence that has ended leaves its batch.

Transformers' `generate` computes ended sentences until the longest one ends, so that most of the work of a batch is for
sentences that are done.
"""

from collections.abc import Sequence
from itertools import count

import torch
from torch import nn

from mtpeft.decoding.logits_processors import forbid_tokens
from mtpeft.decoding.readers import reader
from mtpeft.models.special_tokens import SpecialTokens

ENDED = 8
"""Finished rows are dropped once at least 1/8 of the batch has finished, because dropping copies the cache."""


def greedy_search(
    model: nn.Module, sources: Sequence[torch.Tensor], limits: torch.Tensor, *, special_tokens: SpecialTokens
) -> list[list[int]]:
    """Choose the most probable next token until a sentence ends, or until its limit.

    Args:
        model: in evaluation mode.
        sources: sequences with their special tokens.
        limits: most tokens of each hypothesis without those that it begins with, shape (batch).
        special_tokens: special tokens of the model, for the target language.

    Returns:
        The tokens after those that every hypothesis begins with, without the one that ends the sentence.
    """
    hypotheses: list[list[int]] = [[] for _ in limits]
    rows, goes_on = torch.arange(len(limits)), torch.ones(len(limits), dtype=torch.bool)
    read, device, ends = reader(model, sources, special_tokens), model.device, torch.tensor(special_tokens.ends)
    written = torch.tensor([special_tokens.begin], dtype=torch.long, device=device).expand(len(rows), -1)
    forbid = forbid_tokens(special_tokens, device)
    for length in count(1):
        chosen = forbid(written, read.logits).argmax(-1)
        written, tokens = torch.cat([written, chosen[:, None]], dim=1), chosen.cpu()
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            hypotheses[row].append(token)
        goes_on &= ~torch.isin(tokens, ends) & (length < limits[rows])
        if not goes_on.any():
            break
        if ENDED * int((~goes_on).sum()) >= len(rows):
            kept = goes_on.nonzero().flatten()
            rows, goes_on = rows[kept], goes_on[kept]
            kept = kept.to(device)
            written = written[kept]
            read.keep(kept)
        read.read(written[:, -1:])
    return [
        before_end(tokens[:limit], *special_tokens.ends)
        for tokens, limit in zip(hypotheses, limits.tolist(), strict=True)
    ]


def before_end(tokens: list[int], *ends: int) -> list[int]:
    """Return the tokens before the first one that ends a sentence."""
    return tokens[: min((tokens.index(end) for end in ends if end in tokens), default=None)]
