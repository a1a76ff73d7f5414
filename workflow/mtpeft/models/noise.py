"""Text infilling, the noise of denoising pre-training (BART, arXiv 1910.13461; mBART, arXiv 2001.08210)."""

import numpy as np

MASKED_SHARE = 0.35
SPAN_MEAN = 3.5
"""Mean of the Poisson distribution of span lengths; a span of length 0 inserts a mask."""


def infill(tokens: np.ndarray, mask: int, rng: np.random.Generator) -> np.ndarray:
    """Replace spans of tokens by one mask each, until about 35 % of the tokens are gone.

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
