"""What is done to a text before a model that is pre-trained sees it; each is a pure function of its random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

MASKED_SHARE = 0.35
SPAN_MEAN = 3.5
"""Mean of the Poisson distribution of span lengths; a span of length 0 inserts a mask."""

TokenPair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Noise:
    """How the rows of a batch are changed, all of it against learning a small corpus by heart.

    Attributes:
        infilling: the source is a text whose spans are masked, for denoising.
        joined: share of the batches in which rows are joined two by two.
        masked_source: share of the source's tokens that become masks.
        masked_target: share of the tokens that become masks in what the decoder reads, not in what it must say
            (word dropout, Bowman et al. 2016, arXiv 1511.06349).
        begin: first update with any of them but infilling.
    """

    infilling: bool
    joined: float
    masked_source: float
    masked_target: float
    begin: int


def infill(tokens: np.ndarray, mask: int, rng: np.random.Generator) -> np.ndarray:
    """Replace spans of tokens by one mask each, until about 35 % of the tokens are gone.

    The noise of BART (arXiv 1910.13461) and mBART (arXiv 2001.08210).

    Args:
        tokens: a sequence without its special tokens.
        mask: the token that stands for a span.
        rng: source of the spans.
    """
    to_mask = round(MASKED_SHARE * len(tokens))
    pieces = list(tokens)
    while to_mask > 0:
        length = min(int(rng.poisson(SPAN_MEAN)), to_mask, len(pieces))
        start = int(rng.integers(0, len(pieces) - length + 1))
        pieces[start : start + length] = [mask]
        to_mask -= max(1, length)
    return np.array(pieces, dtype=tokens.dtype)


def mask_tokens(tokens: torch.Tensor, share: float, mask: int, rng: np.random.Generator) -> torch.Tensor:
    """Replace about a share of the tokens by masks, never the first and the last one."""
    chosen = torch.from_numpy(rng.random(len(tokens)) < share)
    chosen[[0, -1]] = False
    return tokens.masked_fill(chosen, mask)


def join_rows(rows: Sequence[TokenPair], longest: int) -> list[TokenPair]:
    """Join each two neighbours that share both languages: [language] x y </s>; `longest` bounds the result."""
    joined: list[TokenPair] = []
    waiting: dict[tuple[int, int], TokenPair] = {}
    for source, target in rows:
        languages = (int(source[0]), int(target[0]))
        first = waiting.pop(languages, None)
        if first is None:
            waiting[languages] = (source, target)
            continue
        both = (_joined(first[0], source), _joined(first[1], target))
        joined += [both] if max(map(len, both)) <= longest else [first, (source, target)]
    return [*joined, *waiting.values()]


def _joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.cat([first[:-1], second[1:]])
