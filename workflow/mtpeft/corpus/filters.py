"""The filters of cleaning: each says of one sentence pair whether it is taken out."""

from collections.abc import Callable, Mapping
from typing import Any

from mtpeft.corpus.identify import probability_of
from mtpeft.corpus.markup import LEFTOVER, TOKEN
from mtpeft.corpus.scripts import share_in_script
from mtpeft.corpus.sentences import letters, words
from mtpeft.corpus.similarity import normalised

# Added to both lengths before they are compared, so that short labels such as "Host" keep their longer translations.
RATIO_SLACK = 8

Filter = Callable[[str, str, Mapping[str, Any]], bool]


def is_empty(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether a side has no word, or none but tokens."""
    return not all(any(character.isalpha() for character in TOKEN.sub("", text)) for text in (source, target))


def has_markup(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether a side still has signs of markup or of a template."""
    return any(LEFTOVER.search(text) for text in (source, target))


def is_too_long(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether a side has more than ``max_characters`` or ``max_words``."""
    return any(len(text) > limits["max_characters"] or words(text) > limits["max_words"] for text in (source, target))


def is_same_text(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether the sides are equal after normalisation, as in a message left untranslated."""
    return normalised(source) == normalised(target)


def is_out_of_ratio(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether one side is more than ``max_length_ratio`` times as long as the other, in letters."""
    lengths = sorted(letters(text) + RATIO_SLACK for text in (source, target))
    return lengths[1] > limits["max_length_ratio"] * lengths[0]


def is_other_script(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether less than ``script`` of a side's letters are of its language's script, where that is asked for."""
    return "script" in limits and any(
        share_in_script(text, language) < limits["script"]
        for text, language in zip((source, target), limits["languages"], strict=True)
    )


def is_other_language(source: str, target: str, limits: Mapping[str, Any]) -> bool:
    """Whether a side is in its language with less than the probability ``language``, where that is asked for."""
    return "language" in limits and any(
        probability_of(text, language) < limits["language"]
        for text, language in zip((source, target), limits["languages"], strict=True)
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


def first_filter(source: str, target: str, limits: Mapping[str, Any]) -> str | None:
    """Name of the first filter that takes the pair out, or None if it stays.

    ``limits`` are the settings of cleaning and, where a filter wants to know them, both ``languages``.
    """
    return next((name for name, takes in FILTERS.items() if takes(source, target, limits)), None)
