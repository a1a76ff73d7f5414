"""Sources of a test set with examples of the training text before them, for in-context learning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtpeft.cells import ANY, Cell
from mtpeft.core.files import read_lines
from mtpeft.data.token_counts import Counts
from mtpeft.data.tsv import SentencePair, read_pairs
from mtpeft.decoding.in_context import chooser, matches_before, prompted
from mtpeft.decoding.test_sets import ToTranslate
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, encode, losses

UNLIMITED = 1_000_000
"""Tokens that no sentence has: nothing is truncated."""


@dataclass(frozen=True)
class ExampleText:
    """The examples of in-context learning.

    Attributes:
        text: training text of the language pair.
        subset: rows of it that the cell reads.
    """

    text: Path
    subset: Path

    def pairs(self) -> list[SentencePair]:
        """Return the sentence pairs of the subset."""
        rows = read_pairs(self.text)
        return [rows[int(line)] for line in read_lines(self.subset)]


def with_examples(
    method: Mapping[str, Any],
    cell: Cell,
    examples: ExampleText,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    text: Path,
) -> ToTranslate:
    """Read the sources of a test set, and put examples of the training text before them."""
    most, rows = special_tokens.max_length, read_pairs(text)
    choose = chooser(method["choose"], method["shots"], seed=0 if cell.seed == ANY else int(cell.seed))
    read = prompted(
        [row.source for row in rows],
        examples.pairs(),
        choose,
        join=matches_before,
        length=lambda source: len(encode(tokenizer, [source], "source", max_length=UNLIMITED)[0]),
        max_length=most,
    )
    (empty,) = encode(tokenizer, [""], "source", max_length=most)
    sources = encode(tokenizer, read.sources, "source", max_length=most)
    targets = encode(tokenizer, [row.target for row in rows], "target", max_length=most)
    lost = {
        "source": list(losses(tokenizer, read.sources, sources, "source", max_length=most)),
        "target": list(losses(tokenizer, [row.target for row in rows], targets, "target", max_length=most)),
    }
    (no_target,) = encode(tokenizer, [""], "target", max_length=most)
    counts = {
        side: Counts(
            sentences=len(own),
            tokens=sum(map(len, own)) - len(around) * len(own),
            truncated=sum(loss.truncated for loss in lost[side]),
            unknown=sum(loss.unknown for loss in lost[side]),
        )
        for side, own, around in (("source", sources, empty), ("target", targets, no_target))
    }
    wanted = method["shots"] * len(rows)
    more = {"shots": sum(read.shots), "shots_left_out": wanted - sum(read.shots)}
    return ToTranslate([torch.tensor(own) for own in sources], counts, more)
