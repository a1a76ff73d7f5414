"""Options of cleaning training text, with usual values for each kind of text.

UI strings are full of markup, placeholders and labels. Prose has none of these: it is not changed, and its filters take
out what is surely no sentence pair. They are those of Moses' clean-corpus-n (Koehn et al. 2007), whose ratio is nine,
with lengths in characters and words that a model of 512 positions can read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Duplicates = Literal["sentences", "pairs", "keep"]


@dataclass(frozen=True)
class Cleaning:
    """Options of the cleaning of training text; see the keys of `clean` in the configuration.

    Attributes:
        duplicates: one pair stays of each sentence of the language written in, or of equal pairs, or all stay.
        script: least share of a side's letters in its language's script; None switches this filter off.
        language: least probability of a side's language; None switches this filter off.
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
        """Copy the options with other values for some keys; keys that are no options are ignored."""
        known = {field.name for field in fields(self)}
        return type(self)(**asdict(self) | {key: value for key, value in values.items() if key in known})


@dataclass(frozen=True)
class TextKind:
    """A kind of text and what is usual for it.

    Attributes:
        cleaning: options of its cleaning.
        words: shortest and longest sentence that is drawn for dev and test, in words.
        clean_version: version of the step that cleans it, raised by hand when a change of code must make it stale.
        split_version: version of the steps that split and divide it, likewise.
        ui_strings: whether the text is messages of user interfaces, which can have markup and several sentences.
    """

    cleaning: Cleaning
    words: tuple[int, int]
    clean_version: int
    split_version: int
    ui_strings: bool = False


UI_STRINGS = TextKind(
    Cleaning(
        max_characters=180,
        max_words=30,
        max_length_ratio=3.0,
        markup=True,
        placeholders=True,
        sentences=True,
        letters=True,
        same_text=True,
        duplicates="sentences",
    ),
    words=(3, 20),
    clean_version=1,
    split_version=2,
    ui_strings=True,
)
"""Messages of user interfaces and of their help."""
PROSE = TextKind(
    Cleaning(
        max_characters=1000,
        max_words=200,
        max_length_ratio=9.0,
        markup=False,
        placeholders=False,
        sentences=False,
        letters=False,
        same_text=True,
        duplicates="pairs",
    ),
    words=(3, 60),
    clean_version=2,
    split_version=3,
)
"""All other text: the user's own files and published text."""
