"""What text loses on its way into tokens: the end of what is too long, and what the vocabulary can't write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtpeft.tokens.arrays import TokenPairs
from mtpeft.tokens.codec import Codec, Side, encode

WORTH_A_WARNING = 0.01
"""Share of the sentences that are cut, or of the tokens that are unknown, above which a person is told."""


@dataclass(frozen=True)
class Loss:
    """What one sentence loses: whether it is cut, and how many of its tokens are unknown."""

    truncated: bool
    unknown: int


def losses(
    codec: Codec, sentences: Sequence[str], rows: Sequence[Sequence[int]], side: Side, *, longest: int
) -> list[Loss]:
    """What each sentence loses, given the tokens that `encode` makes of it with the same `longest`.

    A vocabulary that writes what it does not know in bytes has no unknown tokens.
    """
    full = [number for number, row in enumerate(rows) if len(row) >= longest]
    with_more = encode(codec, [sentences[number] for number in full], side, longest=longest + 1)
    cut = {number for number, row in zip(full, with_more, strict=True) if len(row) > longest}
    unknown = codec.tokenizer.unk_token_id
    return [Loss(number in cut, sum(token == unknown for token in row)) for number, row in enumerate(rows)]


def loss_warnings(pairs: TokenPairs, what: str) -> Iterator[str]:
    """Sentences on the sides of some text that lose more than `WORTH_A_WARNING`; `what` is what they call it."""
    for side, ragged in vars(pairs).items():
        if ragged.truncated > WORTH_A_WARNING * len(ragged):
            share = ragged.truncated / len(ragged)
            yield (
                f"{what}: {ragged.truncated:,} of {len(ragged):,} {side} sentences ({share:.1%}) are longer than the "
                "model reads and are cut; take them out, or split them."
            )
        if ragged.unknown > WORTH_A_WARNING * ragged.words:
            share = ragged.unknown / ragged.words
            yield (
                f"{what}: {ragged.unknown:,} of {ragged.words:,} {side} tokens ({share:.1%}) are unknown to the "
                "vocabulary, so that what they stand for is lost; use a model that can write the text, or extend "
                "its vocabulary."
            )
