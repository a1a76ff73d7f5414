"""What cleaning does to the training text of a corpus, which depends on what the corpus is made of.

The messages of catalogues are full of markup, placeholders and labels. Prose has none of these: it keeps what it says,
and its filters take what is surely no sentence pair. They are those of Moses' clean-corpus-n (Koehn et al. 2007), whose
ratio is nine, with lengths in characters and words that a model of 512 positions can read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Duplicates = Literal["sentences", "pairs", "keep"]


@dataclass(frozen=True)
class Cleaning:
    """What is done to training text; see the keys of `clean` in the configuration.

    Attributes:
        duplicates: one pair stays of each sentence of the language written in, or of equal pairs, or all stay.
        script: least share of a side's letters in its language's script; None asks for none.
        language: least probability of a side's language; None asks for none.
    """

    max_characters: int
    max_words: int
    max_length_ratio: float
    markup: bool
    placeholders: bool
    sentences: bool
    letters: bool
    same_text: bool
    duplicates: Duplicates
    script: float | None = None
    language: float | None = None

    def changed(self, values: Mapping[str, Any]) -> Self:
        """With other values for the keys that have one; other keys mean nothing here."""
        known = {field.name for field in fields(self)}
        return type(self)(**asdict(self) | {key: value for key, value in values.items() if key in known})


CATALOGUES = Cleaning(
    max_characters=180,
    max_words=30,
    max_length_ratio=3.0,
    markup=True,
    placeholders=True,
    sentences=True,
    letters=True,
    same_text=True,
    duplicates="sentences",
)
"""Of messages of user interfaces, out of wheels."""
PROSE = Cleaning(
    max_characters=1000,
    max_words=200,
    max_length_ratio=9.0,
    markup=False,
    placeholders=False,
    sentences=False,
    letters=False,
    same_text=True,
    duplicates="pairs",
)
"""Of one's own files and of published text."""


def cleaning_of(settings: Mapping[str, Any]) -> Cleaning:
    """The cleaning of a step's settings, which name what differs from what is usual for their kind of text."""
    return (CATALOGUES if "wheels" in settings else PROSE).changed(settings["clean"])
