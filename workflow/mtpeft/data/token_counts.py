"""Counts of tokens that were truncated or are unknown, as token arrays have them; they are read without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

COUNTED = ("around", "truncated", "unknown")
"""Numbers that a file of token arrays has for each side, beside the tokens and their offsets.

`around` is the number of tokens of each sequence that are special tokens or tokens of a prompt.
"""
SIDES = ("source", "target")
WORTH_A_WARNING = 0.01
"""Share of sentences that are truncated, or of tokens that are unknown, above which there is a warning."""


@dataclass(frozen=True)
class Counts:
    """Counts of one side of some text.

    Attributes:
        sentences: number of sentences.
        tokens: number of tokens after truncation, without special tokens and those of a prompt.
        truncated: number of sentences that were truncated, since they are longer than the model reads.
        unknown: number of tokens that stand for text which the vocabulary can't write.
    """

    sentences: int
    tokens: int
    truncated: int
    unknown: int

    @property
    def truncated_share(self) -> float:
        """Share of the sentences that were truncated."""
        return self.truncated / self.sentences if self.sentences else 0.0

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that are unknown."""
        return self.unknown / self.tokens if self.tokens else 0.0


def read_counts(arrays: Path) -> dict[str, Counts]:
    """Read the counts of both sides of a file of token arrays, by side, without the tokens."""
    with safe_open(arrays, framework="np") as archive:
        return {side: _side(archive, side) for side in SIDES}


def _side(archive: safe_open, side: str) -> Counts:
    special_token_count, truncated, unknown = (int(archive.get_tensor(f"{side}_{name}")) for name in COUNTED)
    sentences = archive.get_slice(f"{side}_offsets").get_shape()[0] - 1
    tokens = archive.get_slice(side).get_shape()[0] - special_token_count * sentences
    return Counts(sentences, tokens, truncated, unknown)


def loss_warnings(counts: Mapping[str, Counts], what: object) -> Iterator[str]:
    """Warn of sides that lose more than `WORTH_A_WARNING` of some text; `what` names the text."""
    for side, own in counts.items():
        if own.truncated_share > WORTH_A_WARNING:
            yield (
                f"{what}: {own.truncated:,} of {own.sentences:,} {side} sentences ({own.truncated_share:.1%}) are "
                "longer than the model reads and are cut; split them, or leave them out."
            )
        if own.unknown_share > WORTH_A_WARNING:
            yield (
                f"{what}: {own.unknown:,} of {own.tokens:,} {side} tokens ({own.unknown_share:.1%}) are unknown to the "
                "vocabulary, and what they stand for is lost; take a model that can write the text, or extend this one."
            )
