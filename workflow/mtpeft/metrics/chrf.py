"""chrF (Popović 2015), as sacreBLEU computes it: F-score of the character n-grams up to order 6."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtpeft.metrics.base import Metric
from mtpeft.metrics.sacrebleu import measure_with

if TYPE_CHECKING:
    import numpy as np
    from sacrebleu import metrics as sacrebleu

ORDERS = 6
BETA = 2


def corpus_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF of one test set, 0 to 100."""
    return scorer().corpus_score(list(hypotheses), [list(references)]).score


def scorer(language: str = "") -> "sacrebleu.CHRF":
    """SacreBLEU's chrF, which is the same for all languages."""
    from sacrebleu.metrics import CHRF

    return CHRF()


def corpus_score(counts: "np.ndarray") -> "np.ndarray":
    """Corpus chrF, 0 to 100.

    Args:
        counts: sums of hypothesis, reference and matching n-grams of each order: shape [..., 18].

    Returns:
        Scores: shape [...].
    """
    import numpy as np

    hypothesis, reference, match = np.moveaxis(counts.reshape(*counts.shape[:-1], ORDERS, 3), -1, 0)
    measured = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(measured.sum(-1), 1)
    precision = np.where(measured, match / np.maximum(hypothesis, 1), 0.0).sum(-1) / orders
    recall = np.where(measured, match / np.maximum(reference, 1), 0.0).sum(-1) / orders
    weighted = BETA**2 * precision + recall
    return 100 * (1 + BETA**2) * precision * recall / np.where(weighted > 0, weighted, 1.0)


CHRF = Metric(name="chrf", title="chrF", margin=1.0, corpus_score=corpus_score, measure=measure_with(scorer))
