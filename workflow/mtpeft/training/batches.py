"""Which sentence pairs an update sees: a pure function of the seed and the update's number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtpeft.data.token_arrays import cut


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


POOL_BATCHES = 32
"""Sentences are sorted by length within pools of about so many batches: little padding, and still a random order."""


@dataclass
class BatchOrder:
    """Batches of row indices, bucketed by length, of at most `batch_tokens` padded tokens on the longer side.

    Args:
        lengths: tokens of the longer side of each row.
        batch_tokens: rows x longest row of a batch never exceed it, unless one row alone does.
        seed: of the order.
        mixture: which rows an epoch has; without one, it has every row once.
    """

    lengths: Sequence[int]
    batch_tokens: int
    seed: int
    mixture: Mixture | None = None
    _epoch: int = field(default=-1, init=False)
    _first: int = field(default=0, init=False)
    _batches: list[np.ndarray] = field(default_factory=list, init=False)

    def rows(self, update: int) -> np.ndarray:
        """Rows of the batch of an update, counted from 0; going back starts again from the first epoch."""
        if update < self._first:
            self._epoch, self._first, self._batches = -1, 0, []
        while update >= self._first + len(self._batches):
            self._first += len(self._batches)
            self._epoch += 1
            self._batches = list(self._epoch_batches(np.random.default_rng((self.seed, self._epoch))))
        return self._batches[update - self._first]

    def _epoch_batches(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        lengths = np.asarray(self.lengths)
        shuffled = rng.permutation(self.mixture.rows(self._epoch) if self.mixture else len(lengths))
        pool_rows = max(1, int(POOL_BATCHES * self.batch_tokens / max(1.0, float(lengths.mean()))))
        batches = [
            batch
            for start in range(0, len(shuffled), pool_rows)
            for batch in cut(shuffled[start : start + pool_rows], lengths, self.batch_tokens)
        ]
        yield from (batches[index] for index in rng.permutation(len(batches)))
