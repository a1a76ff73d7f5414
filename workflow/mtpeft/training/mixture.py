"""Which sentence pairs of a group an epoch has: temperature sampling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Shares of the members of a group in an epoch: in proportion to n^(1 / temperature), n the sentence pairs of each.

    Drawn evenly, not by chance: each member is gone through in one random order after another, as far as its share
    goes, and the next epoch goes on from there. At a temperature of 1 an epoch has every sentence pair once.
    Arivazhagan et al. 2019, arXiv 1907.05019.

    Args:
        counts: sentence pairs of each member, whose rows stand one member after another.
        temperature: at least 1.
        seed: of the orders.
    """

    counts: Sequence[int]
    temperature: float
    seed: int

    def drawn(self) -> list[int]:
        """How many rows of each member an epoch has, which together has as many as all members."""
        counts = np.asarray(self.counts, dtype=np.float64)
        weights = counts ** (1 / self.temperature)
        exact = counts.sum() * weights / weights.sum()
        whole = np.floor(exact).astype(np.int64)
        lacking = int(counts.sum()) - int(whole.sum())
        whole[np.argsort(whole - exact, kind="stable")[:lacking]] += 1
        return [int(count) for count in whole]

    def rows(self, epoch: int) -> np.ndarray:
        """Rows of an epoch, counted from 0: a pure function of the seed and the epoch."""
        first = np.cumsum([0, *self.counts])
        members = enumerate(zip(self.counts, self.drawn(), strict=True))
        return np.concatenate([first[own] + self._part(own, count, drawn, epoch) for own, (count, drawn) in members])

    def _part(self, member: int, count: int, drawn: int, epoch: int) -> np.ndarray:
        """The rows of one member from where the epoch before has left off."""
        begin, end = epoch * drawn, (epoch + 1) * drawn
        rounds = range(begin // count, -(-end // count))
        orders = [np.random.default_rng((self.seed, member, turn)).permutation(count) for turn in rounds]
        skipped = begin - rounds.start * count
        return np.concatenate([np.empty(0, dtype=np.int64), *orders])[skipped : skipped + drawn]
