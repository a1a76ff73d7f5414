"""The batches of a training: which sentence pairs an update sees follows from the seed and the number of the update."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

from mtpeft.data.batch_layout import LAYOUTS, Layout, model_inputs, without_padding
from mtpeft.data.token_arrays import TokenPairs, cut
from mtpeft.models.special_tokens import SpecialTokens

POOL_BATCHES = 32
"""Sentences are sorted by length within pools of about so many batches: little padding, and still a random order."""

Batch = Mapping[str, torch.Tensor]
"""Inputs of a model with `labels`, and for several language pairs the task id of each row as `task_ids`."""


@dataclass(frozen=True)
class TemperatureSampling:
    """The rows of several language pairs in an epoch, by temperature sampling (Arivazhagan et al. 2019, 1907.05019).

    A language pair with n sentence pairs has a share of the epoch in proportion to n^(1 / temperature). Rows are drawn
    evenly and not by chance: each language pair is read in one random order after another, as far as its share goes,
    and the next epoch goes on from there. At a temperature of 1 an epoch has every sentence pair once.

    Args:
        counts: number of sentence pairs of each language pair, whose rows stand one language pair after another.
        temperature: at least 1.
        seed: of the random orders.
    """

    counts: Sequence[int]
    temperature: float
    seed: int

    def drawn(self) -> list[int]:
        """Return how many rows of each language pair an epoch has; together they are as many as there are rows."""
        counts = np.asarray(self.counts, dtype=np.float64)
        weights = counts ** (1 / self.temperature)
        exact = counts.sum() * weights / weights.sum()
        whole = np.floor(exact).astype(np.int64)
        lacking = int(counts.sum()) - int(whole.sum())
        whole[np.argsort(whole - exact, kind="stable")[:lacking]] += 1
        return [int(count) for count in whole]

    def rows(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch, counted from 0, which follow from the seed and the epoch alone."""
        first = np.cumsum([0, *self.counts])
        members = enumerate(zip(self.counts, self.drawn(), strict=True))
        return np.concatenate([first[own] + self._part(own, count, drawn, epoch) for own, (count, drawn) in members])

    def _part(self, member: int, count: int, drawn: int, epoch: int) -> np.ndarray:
        """Return the rows of one language pair, from where the epoch before has stopped."""
        begin, end = epoch * drawn, (epoch + 1) * drawn
        rounds = range(begin // count, -(-end // count))
        orders = [np.random.default_rng((self.seed, member, turn)).permutation(count) for turn in rounds]
        skipped = begin - rounds.start * count
        return np.concatenate([np.empty(0, dtype=np.int64), *orders])[skipped : skipped + drawn]


@dataclass
class BatchOrder:
    """Batches of row numbers, bucketed by length, of at most `batch_tokens` padded tokens on the longer side.

    Args:
        lengths: tokens of the longer side of each row.
        batch_tokens: most rows x longest row of a batch, unless one row alone has more.
        seed: of the order.
        sampling: which rows an epoch has; without it, an epoch has every row once.
    """

    lengths: Sequence[int]
    batch_tokens: int
    seed: int
    sampling: TemperatureSampling | None = None
    _epoch: int = field(default=-1, init=False)
    _first: int = field(default=0, init=False)
    _batches: list[np.ndarray] = field(default_factory=list, init=False)

    def rows(self, update: int) -> np.ndarray:
        """Return the rows of the batch of an update, counted from 0; an earlier update starts from the first epoch."""
        if update < self._first:
            self._epoch, self._first, self._batches = -1, 0, []
        while update >= self._first + len(self._batches):
            self._first += len(self._batches)
            self._epoch += 1
            self._batches = list(self._epoch_batches(np.random.default_rng((self.seed, self._epoch))))
        return self._batches[update - self._first]

    def _epoch_batches(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        lengths = np.asarray(self.lengths)
        shuffled = rng.permutation(self.sampling.rows(self._epoch) if self.sampling else len(lengths))
        pool_rows = max(1, int(POOL_BATCHES * self.batch_tokens / max(1.0, float(lengths.mean()))))
        batches = [
            batch
            for start in range(0, len(shuffled), pool_rows)
            for batch in cut(shuffled[start : start + pool_rows], lengths, self.batch_tokens)
        ]
        yield from (batches[index] for index in rng.permutation(len(batches)))


@dataclass(frozen=True)
class TrainingText:
    """Training text of one language pair.

    Attributes:
        pairs: token arrays of all training text of the language pair.
        rows: rows of the cell's training subset.
        special_tokens: special tokens of the model, for the target language.
    """

    pairs: TokenPairs
    rows: Sequence[int]
    special_tokens: SpecialTokens


def cell_batches(
    texts: Sequence[TrainingText], *, batch_tokens: int, temperature: float, seed: int
) -> Callable[[int], Batch]:
    """Return the function that gives the batch of an update; the rows of several language pairs are mixed.

    Args:
        texts: of each language pair.
        batch_tokens: most padded tokens of a batch, on its longer side.
        temperature: of the sampling, where there are several language pairs.
        seed: of the order.
    """
    # Arrays, since a list would hold two objects for each row.
    members = np.repeat(np.arange(len(texts)), [len(text.rows) for text in texts])
    rows = np.concatenate([np.asarray(text.rows) for text in texts])
    layout = LAYOUTS[texts[0].special_tokens.task]
    lengths = np.concatenate([layout.lengths(text.pairs)[text.rows] for text in texts])
    multilingual = len(texts) > 1
    counts = [len(text.rows) for text in texts]
    sampling = TemperatureSampling(counts, temperature, seed) if multilingual else None
    order = BatchOrder(lengths, batch_tokens, seed, sampling)

    def batch(update: int) -> Batch:
        own = order.rows(update)
        chosen = list(zip(members[own].tolist(), rows[own].tolist(), strict=True))
        sides = ([getattr(texts[member].pairs, side)[row] for member, row in chosen] for side in ("source", "target"))
        inputs = model_inputs(*sides, special_tokens=texts[0].special_tokens)
        return _with_task_ids(inputs, [member for member, _ in chosen], texts, layout) if multilingual else inputs

    return batch


def single_sentences(batches: Iterable[Batch], most: int) -> Iterator[Batch]:
    """Yield the first `most` sentence pairs of batches, each alone and without its padding."""
    left = most
    for batch in batches:
        for row in range(min(left, len(batch["labels"]))):
            yield without_padding(batch, row)
        left -= len(batch["labels"])
        if left <= 0:
            return


@dataclass
class PreparedAhead:
    """The batches of a training, each made by a thread while the update before it is computed.

    A GPU waits for the processor that makes its batches; on the processor itself nothing would be gained.

    Args:
        batch: gives the batch of an update.
    """

    batch: Callable[[int], Batch]
    _maker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1), init=False)
    _number: int | None = field(default=None, init=False)
    _next: Future[Batch] | None = field(default=None, init=False)

    def __call__(self, update: int) -> Batch:
        """Return the batch of an update, and begin with that of the next."""
        if self._next is None or self._number != update:
            self._next = self._maker.submit(self.batch, update)
        found = self._next.result()
        self._number, self._next = update + 1, self._maker.submit(self.batch, update + 1)
        return found


def ready_for(device: torch.device, batch: Callable[[int], Batch]) -> Callable[[int], Batch]:
    """Return the function that gives the batches of a training on a device.

    For a GPU they are made ahead, in pinned memory, from which they are copied while it computes.
    """
    if device.type != "cuda":
        return batch
    return PreparedAhead(lambda update: {name: tensor.pin_memory() for name, tensor in batch(update).items()})


def _with_task_ids(inputs: Batch, members: Sequence[int], texts: Sequence[TrainingText], layout: Layout) -> Batch:
    """Return a batch with what depends on each row's language pair: its task id, and a decoder's first token."""
    task_ids = torch.tensor(members)
    begins = [text.special_tokens.begin[:1] for text in texts]
    begun = layout.begin_with(inputs, torch.tensor(begins)[task_ids].flatten())
    return {**begun, "task_ids": task_ids}
