"""Which script a language is written in, and how much of a text is in it."""

from functools import lru_cache

import regex
from langcodes import Language

UNICODE = {
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
}
"""Scripts of Unicode that a script of ISO 15924 is made of, where it is not one of them itself."""


def share_in_script(text: str, language: str) -> float:
    """Share of the letters of a text that are of its language's script; 1 where there is no letter.

    Args:
        text: of any kind; digits, punctuation and symbols do not count.
        language: BCP 47 tag; its likely script counts where it names none.
    """
    letters = [character for character in text if character.isalpha()]
    own = _pattern(language)
    return sum(bool(own.match(letter)) for letter in letters) / len(letters) if letters else 1.0


@lru_cache
def _pattern(language: str) -> regex.Pattern[str]:
    script = Language.get(language).maximize().script or "Latn"
    names = "".join(rf"\p{{Script={name}}}" for name in UNICODE.get(script, (script,)))
    # Letters that many scripts share, such as a long vowel mark, are of all of them.
    return regex.compile(rf"[{names}\p{{Script=Zyyy}}\p{{Script=Zinh}}]")
