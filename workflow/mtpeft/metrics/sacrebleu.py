"""Measure hypotheses with sacreBLEU's metrics (Post 2018, arXiv 1804.08771)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mtpeft.metrics.base import Measure, Measured

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Scorer


def measure_with(scorer_for: Callable[[str], "Scorer"]) -> Measure:
    """The function `measure` of a metric that sacreBLEU has.

    Args:
        scorer_for: sacreBLEU's metric, from the BCP 47 tag of the target language.
    """

    def measure(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Measured:
        # The rows are what sacreBLEU's `corpus_score` sums up. No public function returns them. The signature knows
        # the number of references only after they were read.
        scorer = scorer_for(language)
        rows = scorer._extract_corpus_statistics(hypotheses, [references])
        score = scorer._aggregate_and_compute(rows).score
        return Measured(statistics=rows, score=score, signature=str(scorer.get_signature()))

    return measure
