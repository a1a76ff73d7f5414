"""The filters of cleaning: each says of one sentence pair whether it is removed."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mtpeft.data.cleaning_options import Cleaning
from mtpeft.data.language_identification import probability_of, share_in_script
from mtpeft.data.markup import LEFTOVER, TOKEN
from mtpeft.data.sentences import letters, words
from mtpeft.data.similarity import normalised

RATIO_SLACK = 8
"""Added to both lengths before they are compared, so that short labels such as "Host" keep longer translations."""


class Sides(NamedTuple):
    """A sentence pair with the languages of its sides."""

    source: str
    target: str
    languages: Sequence[str]

    @property
    def texts(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target


Filter = Callable[[Sides, Cleaning], bool]


def is_empty(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether a side is blank or, where that is asked for, has no letter outside of tokens."""
    if not cleaning.letters:
        return not all(text.strip() for text in pair.texts)
    return not all(any(character.isalpha() for character in TOKEN.sub("", text)) for text in pair.texts)


def has_markup(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether a side still has signs of markup or of a template, where markup is taken off."""
    return cleaning.markup and any(LEFTOVER.search(text) for text in pair.texts)


def is_too_long(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether a side has more than ``max_characters`` or ``max_words``."""
    return any(len(text) > cleaning.max_characters or words(text) > cleaning.max_words for text in pair.texts)


def is_same_text(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether the sides are equal, as in untranslated text; case and punctuation count where letters do not."""
    if not cleaning.same_text:
        return False
    return normalised(pair.source) == normalised(pair.target) if cleaning.letters else pair.source == pair.target


def is_out_of_ratio(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether one side is more than ``max_length_ratio`` times as long as the other, in letters."""
    lengths = sorted(letters(text) + RATIO_SLACK for text in pair.texts)
    return lengths[1] > cleaning.max_length_ratio * lengths[0]


def is_other_script(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether less than ``script`` of a side's letters are of its language's script, where that is asked for."""
    return cleaning.script is not None and any(
        share_in_script(text, language) < cleaning.script
        for text, language in zip(pair.texts, pair.languages, strict=True)
    )


def is_other_language(pair: Sides, cleaning: Cleaning) -> bool:
    """Say whether a side is in its language with less than the probability ``language``, where that is asked for."""
    return cleaning.language is not None and any(
        probability_of(text, language) < cleaning.language
        for text, language in zip(pair.texts, pair.languages, strict=True)
    )


FILTERS: Mapping[str, Filter] = {
    "empty": is_empty,
    "markup": has_markup,
    "too_long": is_too_long,
    "same_text": is_same_text,
    "length_ratio": is_out_of_ratio,
    "script": is_other_script,
    "language": is_other_language,
}
"""Filters in the order in which they are applied and counted: the slowest comes last."""
KEYS = {
    "too_long": "max_characters and max_words",
    "length_ratio": "max_length_ratio",
    "sentences_differ": "sentences",
    **{name: name for name in ("placeholders", "markup", "same_text", "script", "language", "duplicates")},
}
"""Keys of `clean` that set a filter, by the name of the filter; pairs with a blank side are always removed."""


def first_filter(pair: Sides, cleaning: Cleaning) -> str | None:
    """Find the first filter that removes a pair; None if the pair stays."""
    return next((name for name, takes in FILTERS.items() if takes(pair, cleaning)), None)
