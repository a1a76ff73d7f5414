"""BLEU (Papineni et al. 2002), as sacreBLEU computes it, with a tokenizer that suits the script of the target."""

from typing import TYPE_CHECKING

from mtpeft.core.languages import script_of
from mtpeft.metrics.base import Metric
from mtpeft.metrics.sacrebleu import measure_with

if TYPE_CHECKING:
    import numpy as np
    from sacrebleu import metrics as sacrebleu

ORDERS = 4
HAN_SCRIPTS = ("Hani", "Hans", "Hant", "Hanb")
"""Scripts of Chinese, in whatever language, for which sacreBLEU has a tokenizer of its own."""
UNSPACED_SCRIPTS = (
    *("Jpan", "Hira", "Kana", "Hrkt", "Kore", "Hang"),
    *("Thai", "Laoo", "Khmr", "Mymr", "Tibt"),
    *("Bali", "Bugi", "Java", "Lana", "Tale", "Talu", "Tavt", "Ahom"),
)
"""Scripts in which spaces, if there are any, don't separate words that could be counted.

For Japanese and Korean sacreBLEU advises MeCab, which is not among our packages, and for the others a vocabulary that
has to be downloaded. Its tokenizer by characters needs neither.
"""


def tokenizer_for(language: str) -> str:
    """Name of sacreBLEU's tokenizer for the script that a language, given as a BCP 47 tag, is written in."""
    script = script_of(language)
    if script in HAN_SCRIPTS:
        return "zh"
    return "char" if script in UNSPACED_SCRIPTS else "13a"


def scorer(language: str) -> "sacrebleu.BLEU":
    """SacreBLEU's BLEU for a target language; by characters where the script has no spaces between words."""
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenizer_for(language))


def corpus_score(counts: "np.ndarray") -> "np.ndarray":
    """Corpus BLEU with exponential smoothing, which is sacreBLEU's default, 0 to 100.

    Args:
        counts: sums of hypothesis and reference lengths, then of the matching and of all n-grams of the orders one to
            four: shape [..., 10].

    Returns:
        Scores: shape [...].
    """
    import numpy as np

    hypothesis, reference = counts[..., 0], counts[..., 1]
    match, total = counts[..., 2 : 2 + ORDERS], counts[..., 2 + ORDERS :]
    none = match == 0
    smoothed = np.where(none, 0.5 ** np.cumsum(none, -1), match)
    precision = smoothed / np.maximum(total, 1)
    brevity = np.exp(np.minimum(0.0, 1 - reference / np.maximum(hypothesis, 1)))
    defined = (total > 0).all(-1) & (match > 0).any(-1) & (hypothesis > 0)
    return np.where(defined, 100 * brevity * np.exp(np.log(precision).mean(-1)), 0.0)


BLEU = Metric(name="bleu", title="BLEU", margin=1.0, corpus_score=corpus_score, measure=measure_with(scorer))
