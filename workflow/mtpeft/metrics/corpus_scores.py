"""Corpus scores from summed counts, for many resampled test sets at once.

The counts are those that sacreBLEU (Post 2018, arXiv 1804.08771) keeps per sentence; it sums them before it computes a
score, so a resampled test set costs one sum.
"""

from collections.abc import Callable, Mapping

import numpy as np

from mtpeft.metrics.names import BLEU, CHRF, COMET

Score = Callable[[np.ndarray], np.ndarray]
CHRF_ORDERS = 6
CHRF_BETA = 2
BLEU_ORDERS = 4


def chrf(counts: np.ndarray) -> np.ndarray:
    """Corpus chrF (Popović 2015), 0 to 100.

    Args:
        counts: sums of hypothesis, reference and matching n-grams of each order: shape [..., 18].

    Returns:
        Scores: shape [...].
    """
    hypothesis, reference, match = np.moveaxis(counts.reshape(*counts.shape[:-1], CHRF_ORDERS, 3), -1, 0)
    measured = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(measured.sum(-1), 1)
    precision = np.where(measured, match / np.maximum(hypothesis, 1), 0.0).sum(-1) / orders
    recall = np.where(measured, match / np.maximum(reference, 1), 0.0).sum(-1) / orders
    weighted = CHRF_BETA**2 * precision + recall
    return 100 * (1 + CHRF_BETA**2) * precision * recall / np.where(weighted > 0, weighted, 1.0)


def bleu(counts: np.ndarray) -> np.ndarray:
    """Corpus BLEU with exponential smoothing, sacreBLEU's default, 0 to 100.

    Args:
        counts: sums of hypothesis and reference lengths, then of the matching and of all n-grams of the orders one to
            four: shape [..., 10].

    Returns:
        Scores: shape [...].
    """
    hypothesis, reference = counts[..., 0], counts[..., 1]
    match, total = counts[..., 2 : 2 + BLEU_ORDERS], counts[..., 2 + BLEU_ORDERS :]
    none = match == 0
    smoothed = np.where(none, 0.5 ** np.cumsum(none, -1), match)
    precision = smoothed / np.maximum(total, 1)
    brevity = np.exp(np.minimum(0.0, 1 - reference / np.maximum(hypothesis, 1)))
    defined = (total > 0).all(-1) & (match > 0).any(-1) & (hypothesis > 0)
    return np.where(defined, 100 * brevity * np.exp(np.log(precision).mean(-1)), 0.0)


def mean(counts: np.ndarray) -> np.ndarray:
    """Mean score of sentences, as COMET defines that of a system.

    Args:
        counts: sums of the sentences' scores, and their number: shape [..., 2].

    Returns:
        Scores: shape [...].
    """
    return counts[..., 0] / counts[..., 1]


SCORES: Mapping[str, Score] = {CHRF: chrf, BLEU: bleu, COMET: mean}
"""Score of each metric from summed counts."""
