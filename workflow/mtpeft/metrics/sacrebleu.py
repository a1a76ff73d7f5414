"""chrF and BLEU as sacreBLEU defines them (Post 2018, arXiv 1804.08771), with signatures and counts per sentence."""

from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

from mtpeft.core import compat
from mtpeft.core.languages import script_of
from mtpeft.data.normalisation import FORM, normalised_line

METRICS = ("chrf", "bleu")
HAN_SCRIPTS = ("Hani", "Hans", "Hant", "Hanb")
"""Scripts of Chinese, in whatever language, for which sacreBLEU has a tokenizer of its own."""
UNSPACED_SCRIPTS = (
    *("Jpan", "Hira", "Kana", "Hrkt", "Kore", "Hang"),
    *("Thai", "Laoo", "Khmr", "Mymr", "Tibt"),
    *("Bali", "Bugi", "Java", "Lana", "Tale", "Talu", "Tavt", "Ahom"),
)
"""Scripts whose spaces, if any, part no words that could be counted.

For Japanese and Korean sacreBLEU advises MeCab, which is not among our packages, and for the others a vocabulary that
has to be downloaded; characters are its tokenizer that needs neither.
"""


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF (Popović 2015), 0 to 100."""
    return CHRF().corpus_score(list(hypotheses), [list(references)]).score


def metric(name: str, target_language: str) -> Metric:
    """The metric of that name; BLEU is of characters where the script of the target parts no words by spaces."""
    return CHRF() if name == "chrf" else BLEU(tokenize=bleu_tokenizer(target_language))


def bleu_tokenizer(language: str) -> str:
    """The tokenizer of sacreBLEU for the script that a language, given as a BCP 47 tag, is written in."""
    script = script_of(language)
    if script in HAN_SCRIPTS:
        return "zh"
    return "char" if script in UNSPACED_SCRIPTS else "13a"


def score_corpus(
    hypotheses: Sequence[str], references: Sequence[str], target_language: str
) -> dict[str, dict[str, object]]:
    """Corpus score, signature and one row of counts per sentence, for each metric.

    Hypotheses and references are scored as a `normalised_line`, which the signature says. The counts are what
    sacreBLEU's `corpus_score` sums up before it computes a score, so that a resampled test set costs a sum.
    """
    hypotheses, references = ([normalised_line(text) for text in texts] for texts in (hypotheses, references))
    scores = {}
    for name in METRICS:
        scorer = metric(name, target_language)
        statistics = compat.sentence_statistics(scorer, hypotheses, references)
        scores[name] = {
            "score": compat.corpus_score(scorer, statistics),
            "signature": f"{scorer.get_signature()}|text:{FORM}",
            "statistics": [[int(count) for count in row] for row in statistics],
        }
    return scores
