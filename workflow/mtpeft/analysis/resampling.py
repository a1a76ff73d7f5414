"""Paired bootstrap resampling of test sentences (Koehn 2004, "Statistical significance tests for MT").

All systems share the draws. Every draw is a vector of weights, which count how often each sentence is in the resampled
test set, so the scores of a system on all resampled test sets need one product of matrices.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mtpeft.config.significance import RESAMPLES

Score = Callable[[np.ndarray], np.ndarray]
"""Corpus scores from summed statistics: from shape [..., statistics] to shape [...]."""
BLOCK = 1000
"""Resampled test sets that are summed at once."""
SEED = 20_04
SINGLE_RUN = "any"
"""Seed label of a system that has one run, which pairs with every seed of others."""


@dataclass(frozen=True)
class Scored:
    """Scores of the runs of one system: on the test set as it is, shape [runs], and resampled, [resamples, runs]."""

    seeds: tuple[str, ...]
    observed: np.ndarray
    resampled: np.ndarray

    def of(self, seeds: Sequence[str]) -> "Scored":
        """The runs of these seeds, in this order; a single run stands in for each of them."""
        if self.seeds == (SINGLE_RUN,):
            return Scored(tuple(seeds), np.repeat(self.observed, len(seeds)), self.resampled.repeat(len(seeds), axis=1))
        chosen = [self.seeds.index(seed) for seed in seeds]
        return Scored(tuple(seeds), self.observed[chosen], self.resampled[:, chosen])


@lru_cache(maxsize=4)
def sentence_weights(sentences: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Counts of how often each sentence is drawn: shape [resamples, sentences].

    The draws depend on the number of sentences alone: all systems that are measured on one test set share them, and
    so do translations of one test set, sentence by sentence. More resamples begin with the same ones as fewer.
    """
    generator = np.random.default_rng([SEED, sentences])
    shares = np.full(sentences, 1 / sentences)
    weights = np.empty((resamples, sentences), dtype=np.uint16)
    for start in range(0, resamples, BLOCK):
        rows = weights[start : start + BLOCK]
        rows[:] = generator.multinomial(sentences, shares, size=len(rows))
    weights.flags.writeable = False
    return weights


def seed_deviates(runs: int, stream: str, resamples: int = RESAMPLES) -> np.ndarray:
    """Student's t with `runs - 1` degrees of freedom, shape [resamples]; each stream, such as a pair, has its own."""
    generator = np.random.default_rng([SEED, zlib.crc32(stream.encode())])
    return generator.standard_t(runs - 1, size=resamples)


def score_runs(statistics: np.ndarray, seeds: Sequence[str], weights: np.ndarray, score: Score) -> Scored:
    """Corpus scores of the runs of a system.

    Args:
        statistics: of each sentence: shape [runs, sentences, statistics].
        seeds: label of each run.
        weights: shape [resamples, sentences].
        score: from summed statistics to scores.
    """
    runs, sentences, columns = statistics.shape
    table = np.moveaxis(statistics, 0, 1).reshape(sentences, runs * columns).astype(float)
    blocks = [
        score((weights[start : start + BLOCK].astype(float) @ table).reshape(-1, runs, columns))
        for start in range(0, len(weights), BLOCK)
    ]
    return Scored(tuple(seeds), score(statistics.sum(1)), np.concatenate(blocks))
