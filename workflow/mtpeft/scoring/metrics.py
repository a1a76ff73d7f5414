"""chrF and BLEU as sacreBLEU defines them (Post 2018, arXiv 1804.08771), with signatures and counts per sentence."""

from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

METRICS = ("chrf", "bleu")
LANGUAGES_WITH_OWN_TOKENIZER = ("zh", "ja", "ko")


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF (Popović 2015), 0 to 100."""
    return CHRF().corpus_score(list(hypotheses), [list(references)]).score


def metric(name: str, target_language: str) -> Metric:
    """The metric of that name; BLEU tokenises Chinese characters one by one, Japanese and Korean ones too."""
    if name == "chrf":
        return CHRF()
    language = target_language.split("-")[0].lower()
    if language == "zh":
        return BLEU(tokenize="zh")
    return BLEU(tokenize="char" if language in LANGUAGES_WITH_OWN_TOKENIZER else "13a")


def score_corpus(
    hypotheses: Sequence[str], references: Sequence[str], target_language: str
) -> dict[str, dict[str, object]]:
    """Corpus score, signature and one row of counts per sentence, for each metric.

    The counts are what sacreBLEU's `corpus_score` sums up before it computes a score, so that a resampled test set
    costs a sum.
    """
    scores = {}
    for name in METRICS:
        scorer = metric(name, target_language)
        statistics = scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
        scores[name] = {
            "score": scorer._aggregate_and_compute(statistics).score,
            "signature": str(scorer.get_signature()),
            "statistics": [[int(count) for count in row] for row in statistics],
        }
    return scores
