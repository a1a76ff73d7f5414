"""Measure hypotheses with sacreBLEU's metrics (Post 2018, arXiv 1804.08771)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mtpeft.core import compat
from mtpeft.metrics.base import Measure, Measured

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Scorer


def measure_with(scorer_for: Callable[[str], "Scorer"]) -> Measure:
    """The function `measure` of a metric that sacreBLEU has.

    Args:
        scorer_for: sacreBLEU's metric, from the BCP 47 tag of the target language.
    """

    def measure(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Measured:
        scorer = scorer_for(language)
        rows = compat.sentence_statistics(scorer, hypotheses, references)
        # The signature knows the number of references only after they were read.
        return Measured(rows, score=compat.corpus_score(scorer, rows), signature=str(scorer.get_signature()))

    return measure
