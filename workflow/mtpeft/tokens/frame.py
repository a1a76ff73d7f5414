"""What stands around the words of a batch, which differs from model to model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """Special tokens of a model, set to a target language, and the room that there is.

    Attributes:
        pad: token that fills up rows.
        end: token that ends a sentence.
        begin: tokens that the decoder reads before it predicts the first word.
        longest: most tokens of a sequence.
    """

    pad: int
    end: int
    begin: tuple[int, ...]
    longest: int
