"""The filters of cleaning: each says of one sentence pair whether it is taken out."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mtpeft.data.cleaning import Cleaning
from mtpeft.data.identify import probability_of
from mtpeft.data.markup import LEFTOVER, TOKEN
from mtpeft.data.scripts import share_in_script
from mtpeft.data.sentences import letters, words
from mtpeft.data.similarity import normalised

# Added to both lengths before they are compared, so that short labels such as "Host" keep their longer translations.
RATIO_SLACK = 8


class Sides(NamedTuple):
    """A sentence pair and the languages of its sides."""

    source: str
    target: str
    languages: Sequence[str]

    @property
    def texts(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target


Filter = Callable[[Sides, Cleaning], bool]


def is_empty(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether a side is blank or, where that is asked for, has no letter outside of tokens."""
    if not cleaning.letters:
        return not all(text.strip() for text in pair.texts)
    return not all(any(character.isalpha() for character in TOKEN.sub("", text)) for text in pair.texts)


def has_markup(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether a side still has signs of markup or of a template, where markup is taken off."""
    return cleaning.markup and any(LEFTOVER.search(text) for text in pair.texts)


def is_too_long(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether a side has more than ``max_characters`` or ``max_words``."""
    return any(len(text) > cleaning.max_characters or words(text) > cleaning.max_words for text in pair.texts)


def is_same_text(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether the sides are equal, as in a text left untranslated; case and punctuation count where letters do not."""
    if not cleaning.same_text:
        return False
    return normalised(pair.source) == normalised(pair.target) if cleaning.letters else pair.source == pair.target


def is_out_of_ratio(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether one side is more than ``max_length_ratio`` times as long as the other, in letters."""
    lengths = sorted(letters(text) + RATIO_SLACK for text in pair.texts)
    return lengths[1] > cleaning.max_length_ratio * lengths[0]


def is_other_script(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether less than ``script`` of a side's letters are of its language's script, where that is asked for."""
    return cleaning.script is not None and any(
        share_in_script(text, language) < cleaning.script
        for text, language in zip(pair.texts, pair.languages, strict=True)
    )


def is_other_language(pair: Sides, cleaning: Cleaning) -> bool:
    """Whether a side is in its language with less than the probability ``language``, where that is asked for."""
    return cleaning.language is not None and any(
        probability_of(text, language) < cleaning.language
        for text, language in zip(pair.texts, pair.languages, strict=True)
    )


# In the order in which they are applied and counted: what takes longest comes last.
FILTERS: Mapping[str, Filter] = {
    "empty": is_empty,
    "markup": has_markup,
    "too_long": is_too_long,
    "same_text": is_same_text,
    "length_ratio": is_out_of_ratio,
    "script": is_other_script,
    "language": is_other_language,
}
KEYS = {
    "too_long": "max_characters and max_words",
    "length_ratio": "max_length_ratio",
    "sentences_differ": "sentences",
    **{name: name for name in ("placeholders", "markup", "same_text", "script", "language", "duplicates")},
}
"""Keys of `clean` that a filter is set by; nothing sets whether blank sides are taken."""


def first_filter(pair: Sides, cleaning: Cleaning) -> str | None:
    """Name of the first filter that takes the pair out, or None if it stays."""
    return next((name for name, takes in FILTERS.items() if takes(pair, cleaning)), None)
