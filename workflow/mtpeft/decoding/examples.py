"""Sources of a test set with examples of the training text before them, for in-context learning."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mtpeft.cells import ANY, Cell
from mtpeft.core.files import read_lines
from mtpeft.data.token_counts import Counts
from mtpeft.data.tsv import SentencePair, read_pairs
from mtpeft.decoding.in_context import Prompted, chooser, matches_before, prompted
from mtpeft.decoding.test_sets import ToTranslate
from mtpeft.models.example_turns import encode_example_turns
from mtpeft.models.special_tokens import Side, SpecialTokens
from mtpeft.models.tokenizer import Loss, PairTokenizer, encode, losses

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
    """Read the sources of a test set, and put examples of the training text before them.

    The encoder of a model with two stacks reads their targets before the source. The prompt of a causal model has them
    as turns, and its hypotheses are limited by the length of the source alone; a line ends those of a model without a
    chat template, since the next example would follow.
    """
    most, rows = special_tokens.max_length, read_pairs(text)
    choose = chooser(method["choose"], method["shots"], seed=0 if cell.seed == ANY else int(cell.seed))
    plain, targets = [row.source for row in rows], [row.target for row in rows]
    put = partial(prompted, plain, examples.pairs(), choose, max_length=most)
    if tokenizer.frame:
        turns = put(join=_as_turns, length=lambda own: len(_turn_tokens(tokenizer, own, UNLIMITED)))
        sources, shots = [_turn_tokens(tokenizer, own, most) for own in turns.sources], turns.shots
        lost = _lost_of_turns(tokenizer, turns, sources, most)
        own_lengths = [len(row) for row in encode(tokenizer, plain, "source", max_length=most)]
    else:
        read = put(
            join=matches_before,
            length=lambda source: len(encode(tokenizer, [source], "source", max_length=UNLIMITED)[0]),
        )
        sources, shots = encode(tokenizer, read.sources, "source", max_length=most), read.shots
        lost = losses(tokenizer, read.sources, sources, "source", max_length=most)
        own_lengths = None
    encoded = encode(tokenizer, targets, "target", max_length=most)
    counts = {
        "source": _counted(tokenizer, sources, lost, "source", most),
        "target": _counted(
            tokenizer, encoded, losses(tokenizer, targets, encoded, "target", max_length=most), "target", most
        ),
    }
    more = {"shots": sum(shots), "shots_left_out": method["shots"] * len(rows) - sum(shots)}
    in_lines = bool(tokenizer.frame) and not tokenizer.frame.is_chat and method["shots"] > 0
    return ToTranslate([torch.tensor(own) for own in sources], counts, more, own_lengths, first_line=in_lines)


Turns = tuple[Sequence[tuple[str, str]], str]
"""Examples, each a source and its target, and the source that is translated."""


def _as_turns(examples: Sequence[SentencePair], source: str) -> Turns:
    return [(example.source, example.target) for example in examples], source


def _turn_tokens(tokenizer: PairTokenizer, read: Turns, most: int) -> list[int]:
    """Return the tokens of a prompt with its examples; without any it is that of the untouched model."""
    examples, source = read
    if not examples or tokenizer.frame is None:
        return encode(tokenizer, [source], "source", max_length=most)[0]
    return encode_example_turns(tokenizer.pretrained, tokenizer.frame, examples, source, special=tokenizer.special)


def _lost_of_turns(
    tokenizer: PairTokenizer, turns: Prompted[Turns], rows: Sequence[Sequence[int]], most: int
) -> list[Loss]:
    """Return what is lost of each source; only one without room for any example can be too long."""
    unknown = tokenizer.pretrained.unk_token_id
    lost = [Loss(truncated=False, unknown=sum(token == unknown for token in row)) for row in rows]
    alone = [number for number, shots in enumerate(turns.shots) if not shots]
    own = [turns.sources[number][1] for number in alone]
    found = losses(tokenizer, own, [rows[number] for number in alone], "source", max_length=most) if own else []
    for number, loss in zip(alone, found, strict=True):
        lost[number] = loss
    return lost


def _counted(
    tokenizer: PairTokenizer, rows: Sequence[Sequence[int]], lost: Iterable[Loss], side: Side, most: int
) -> Counts:
    """Count tokens without those that stand around every sentence."""
    (around,), lost = encode(tokenizer, [""], side, max_length=most), list(lost)
    return Counts(
        sentences=len(rows),
        tokens=sum(map(len, rows)) - len(around) * len(rows),
        truncated=sum(loss.truncated for loss in lost),
        unknown=sum(loss.unknown for loss in lost),
    )
