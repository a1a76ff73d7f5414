"""TER, translation edit rate (Snover et al. 2006), as sacreBLEU computes it: edits per word of the reference."""

from typing import TYPE_CHECKING

from mtpeft.core.languages import script_of
from mtpeft.metrics.base import Metric
from mtpeft.metrics.bleu import HAN_SCRIPTS
from mtpeft.metrics.sacrebleu import measure_with

if TYPE_CHECKING:
    import numpy as np
    from sacrebleu import metrics as sacrebleu

JAPANESE_SCRIPTS = ("Jpan", "Hira", "Kana", "Hrkt")


def scorer(language: str) -> "sacrebleu.TER":
    """The TER of sacreBLEU for a target language; characters count as words in Chinese and Japanese."""
    from sacrebleu.metrics import TER

    by_character = script_of(language) in (*HAN_SCRIPTS, *JAPANESE_SCRIPTS)
    return TER(normalized=by_character, asian_support=by_character)


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
    scale="0 for no edits, 100 for as many as there are words",
    higher_is_better=False,
    measure=measure_with(scorer),
)
