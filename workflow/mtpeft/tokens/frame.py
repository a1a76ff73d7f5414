"""What stands around the words of a batch, which differs from model to model, and what no hypothesis may hold."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Forbidden:
    """Tokens that no search may choose.

    Attributes:
        tokens: nowhere.
        first: not as the first word of a hypothesis.
        sequences: two or more tokens that must not follow each other.
    """

    tokens: tuple[int, ...] = ()
    first: tuple[int, ...] = ()
    sequences: tuple[tuple[int, ...], ...] = ()


NOTHING = Forbidden()


@dataclass(frozen=True)
class Frame:
    """Special tokens of a model, set to a target language, and the room that there is.

    Attributes:
        pad: token that fills up rows.
        end: token that ends a sentence.
        begin: tokens that the decoder reads before it predicts the first word.
        longest: most tokens of a sequence.
        forbidden: what hypotheses must not hold.
    """

    pad: int
    end: int
    begin: tuple[int, ...]
    longest: int
    forbidden: Forbidden = NOTHING
