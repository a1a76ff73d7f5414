"""How many test sentences or seeds would decide what is undecided."""

import math
from dataclasses import dataclass

from scipy import stats

from mtpeft.statistics.contrasts import Estimate

MOST_SENTENCES = 1_000_000
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Need:
    """Numbers with which the one-sided interval would be narrow enough."""

    sentences: int
    seeds: int


def what_decides(estimate: Estimate, *, gap: float, alpha: float) -> Need | None:
    """Fewest sentences, seeds or both with which the interval would reach less than `gap` from the effect.

    The effect is taken as it is. Its squared reach is that of the sentences, which falls with their number, plus that
    of the seeds, which falls with theirs and with Student's t. Where one of them takes at most half of what is
    allowed, the other one alone is raised; else both are, each to its half.

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
    by_sentences = stats.norm.isf(alpha) ** 2 * estimate.sentence_variance
    by_seeds = _reach(estimate, estimate.seeds, alpha)
    if by_sentences + by_seeds < allowed:
        return Need(estimate.sentences, estimate.seeds)
    for_sentences = allowed - by_seeds if by_seeds <= allowed / 2 else allowed / 2
    for_seeds = allowed - by_sentences if by_sentences <= allowed / 2 else allowed / 2
    most = MOST_SENTENCES / estimate.sentences
    seeds = next((n for n in range(estimate.seeds, MOST_SEEDS) if _reach(estimate, n, alpha) <= for_seeds), None)
    if seeds is None or by_sentences > most * for_sentences:
        return None
    return Need(math.ceil(max(1.0, by_sentences / for_sentences) * estimate.sentences), seeds)


def _reach(estimate: Estimate, seeds: int, alpha: float) -> float:
    """Squared reach of the interval that is due to that many seeds."""
    if not estimate.seed_variance:
        return 0.0
    return stats.t.isf(alpha, seeds - 1) ** 2 * estimate.seed_variance * estimate.seeds / seeds
