"""Differences between pairs of systems on one test set, with intervals and p-values corrected over the pairs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mtpeft.analysis.estimates import contrast, matched_seeds
from mtpeft.analysis.p_values import holm, interval, p_two_sided
from mtpeft.analysis.resampling import Scored

Key = TypeVar("Key")


@dataclass(frozen=True)
class Difference:
    """The score of one system minus that of another.

    Attributes:
        effect: mean over the seeds that both have.
        low, high: ends of its 95 % interval.
        p: two-sided p-value of no difference.
        p_holm: the same, corrected over all pairs that were asked for (Holm 1979).
        seeds: number of seeds that both have.
    """

    effect: float
    low: float
    high: float
    p: float
    p_holm: float
    seeds: int


def differences(
    systems: Mapping[Key, Scored], pairs: Iterable[tuple[Key, Key]], *, sentences: int, stream: str
) -> dict[tuple[Key, Key], Difference]:
    """Differences of pairs of systems, the first minus the second; a pair without a common seed is left out.

    Args:
        systems: scores on the same test sentences, resampled alike, by the key of each system.
        pairs: keys of two systems; p-values are corrected over all of these pairs together.
        sentences: number of test sentences.
        stream: name of the stream of deviates for the seeds.
    """
    found = {}
    for first, second in pairs:
        common = matched_seeds([systems[first], systems[second]])
        if common:
            terms = [(1.0, systems[first]), (-1.0, systems[second])]
            found[first, second] = contrast(terms, sentences=sentences, stream=stream), len(common)
    p_values = [p_two_sided(estimate.samples) for estimate, _ in found.values()]
    return {
        pair: Difference(estimate.effect, *interval(estimate.samples), p=p, p_holm=corrected, seeds=seeds)
        for (pair, (estimate, seeds)), p, corrected in zip(found.items(), p_values, holm(p_values), strict=True)
    }
