"""What text loses on its way into tokens: the end of what is too long, and what the vocabulary can't write."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtpeft.tokens.codec import Codec, Side, encode


class LossWarning(UserWarning):
    """A sentence loses something on its way into tokens."""


@dataclass(frozen=True)
class Loss:
    """What one sentence loses: whether it is cut, and how many of its tokens are unknown."""

    truncated: bool
    unknown: int


def losses(
    codec: Codec, sentences: Sequence[str], rows: Sequence[Sequence[int]], side: Side, *, longest: int
) -> list[Loss]:
    """What each sentence loses, given the tokens that `encode` makes of it with the same `longest`.

    A vocabulary that writes what it does not know in bytes has no unknown tokens. Those of a prompt count for nothing.
    """
    full = [number for number, row in enumerate(rows) if len(row) >= longest]
    with_more = encode(codec, [sentences[number] for number in full], side, longest=longest + 1)
    cut = {number for number, row in zip(full, with_more, strict=True) if len(row) > longest}
    unknown = codec.tokenizer.unk_token_id
    (empty,) = encode(codec, [""], side, longest=longest)
    around = sum(token == unknown for token in empty)
    return [
        Loss(number in cut, max(0, sum(token == unknown for token in row) - around)) for number, row in enumerate(rows)
    ]
