"""Power analysis: numbers of test sentences and seeds that would decide an undecided test in 80 % of repetitions."""

import math
from dataclasses import dataclass

from scipy import stats

from mtpeft.analysis.estimates import Estimate
from mtpeft.config.significance import POWER

MOST_SENTENCES = 1_000_000
MOST_SEEDS = 1000


@dataclass(frozen=True)
class SampleSizes:
    """Numbers with which a one-sided test would decide with a power of 80 %."""

    sentences: int
    seeds: int


def sizes_that_decide(estimate: Estimate, *, gap: float, alpha: float) -> SampleSizes | None:
    """Fewest sentences, seeds or both with which an effect `gap` away from a bound would be shown to be so.

    The effect is taken as it is. The detectable distance is its standard error times the sum of the quantiles of level
    and power. Its square is the sum of a sentence term, which falls as 1/n, and a seed term, which falls as 1/n and
    with the quantiles of Student's t. The sum must come down to the squared gap. If one term is at most half of that,
    only the other sample is enlarged; else both are, until each term is at most half of it.

    Args:
        estimate: the undecided effect.
        gap: distance from the effect to the nearest bound that would decide.
        alpha: level of the one-sided test.

    Returns:
        The numbers, or None if they would be out of all proportion.
    """
    if gap <= 0:
        return None
    allowed = gap**2
    by_sentences = (stats.norm.isf(alpha) + stats.norm.ppf(POWER)) ** 2 * estimate.sentence_variance
    by_seeds = _reach(estimate, estimate.seeds, alpha)
    if by_sentences + by_seeds < allowed:
        return SampleSizes(estimate.sentences, estimate.seeds)
    for_sentences = allowed - by_seeds if by_seeds <= allowed / 2 else allowed / 2
    for_seeds = allowed - by_sentences if by_sentences <= allowed / 2 else allowed / 2
    most = MOST_SENTENCES / estimate.sentences
    seeds = next((n for n in range(estimate.seeds, MOST_SEEDS) if _reach(estimate, n, alpha) <= for_seeds), None)
    if seeds is None or by_sentences > most * for_sentences:
        return None
    return SampleSizes(math.ceil(max(1.0, by_sentences / for_sentences) * estimate.sentences), seeds)


def _reach(estimate: Estimate, seeds: int, alpha: float) -> float:
    """The seed term of the squared detectable distance, with this number of seeds."""
    if not estimate.seed_variance:
        return 0.0
    quantiles = stats.t.isf(alpha, seeds - 1) + stats.t.ppf(POWER, seeds - 1)
    return quantiles**2 * estimate.seed_variance * estimate.seeds / seeds
