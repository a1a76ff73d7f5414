"""TER, translation edit rate (Snover et al. 2006), as sacreBLEU computes it: edits per word of the reference."""

from typing import TYPE_CHECKING

from mtpeft.metrics.base import Metric
from mtpeft.metrics.sacrebleu import measure_with

if TYPE_CHECKING:
    import numpy as np
    from sacrebleu import metrics as sacrebleu


def scorer(language: str) -> "sacrebleu.TER":
    """SacreBLEU's TER, which is the same for all languages."""
    from sacrebleu.metrics import TER

    return TER()


def corpus_score(counts: "np.ndarray") -> "np.ndarray":
    """Corpus TER: 0 where nothing has to be edited, 100 where there are as many edits as words, or more.

    Args:
        counts: sums of edits and of the words of the references: shape [..., 2].

    Returns:
        Scores: shape [...].
    """
    import numpy as np

    edits, words = counts[..., 0], counts[..., 1]
    return np.where(words > 0, 100 * edits / np.where(words > 0, words, 1), 100.0 * (edits > 0))


TER = Metric(
    name="ter",
    title="TER",
    margin=1.0,
    corpus_score=corpus_score,
    higher_is_better=False,
    measure=measure_with(scorer),
)
