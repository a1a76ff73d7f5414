"""Which sentence pairs an update sees: a pure function of the seed and the update's number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtpeft.training.mixture import Mixture

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


def cut(rows: np.ndarray, lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Cut rows, sorted by length, into batches of at most `batch_tokens` padded tokens."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or (end + 1 - start) * lengths[ordered[end]] > batch_tokens:
            yield ordered[start:end]
            start = end
