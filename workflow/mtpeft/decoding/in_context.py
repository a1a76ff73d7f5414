"""Sources with examples before them, from the training subset of a cell.

An example is dropped, the least similar first, where the model has no room for it; the source itself is never cut for
an example. The record counts what was dropped, and the tokens that the model reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from mtpeft.data.similarity import nearest_of
from mtpeft.data.tsv import SentencePair

Chooser = Callable[[Sequence[str], Sequence[SentencePair]], np.ndarray]
"""Gives the rows of the examples of each source, (sources, shots), the most similar last."""
Read = TypeVar("Read")
"""What a model reads of a source: text, or the examples and the source of a prompt."""
Join = Callable[[Sequence[SentencePair], str], Read]
"""Puts examples before a source."""


@dataclass(frozen=True)
class Prompted(Generic[Read]):
    """Sources with their examples.

    Attributes:
        sources: what the model reads.
        shots: number of examples that each of them has.
    """

    sources: Sequence[Read]
    shots: Sequence[int]


def chooser(choose: str, shots: int, *, seed: int) -> Chooser:
    """Return how the examples of a source are chosen: `nearest`, or `random` ones that all sources share."""

    def nearest(sources: Sequence[str], memory: Sequence[SentencePair]) -> np.ndarray:
        return nearest_of(sources, [pair.source for pair in memory], shots)[:, ::-1]

    def drawn(sources: Sequence[str], memory: Sequence[SentencePair]) -> np.ndarray:
        rows = np.random.default_rng(seed).permutation(len(memory))[:shots]
        return np.tile(rows, (len(sources), 1))

    return nearest if choose == "nearest" else drawn


def matches_before(examples: Sequence[SentencePair], source: str) -> str:
    """Put the targets of examples before a source, as an encoder reads them (Bulte & Tezcan 2019)."""
    return " ".join([*(example.target for example in examples), source])


def prompted(
    sources: Sequence[str],
    memory: Sequence[SentencePair],
    choose: Chooser,
    *,
    join: Join[Read],
    length: Callable[[Read], int],
    max_length: int,
) -> Prompted[Read]:
    """Put examples before each source, as many as the model has room for.

    Args:
        sources: text to be translated.
        memory: training subset.
        choose: gives the rows of the examples.
        join: makes what the model reads.
        length: number of tokens of that, without truncation.
        max_length: most tokens that the model reads.
    """
    texts, shots = [], []
    for source, rows in zip(sources, choose(sources, memory), strict=True):
        examples = [memory[row] for row in rows]
        while examples and length(join(examples, source)) > max_length:
            examples = examples[1:]
        texts.append(join(examples, source))
        shots.append(len(examples))
    return Prompted(texts, shots)
