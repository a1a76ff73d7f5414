"""Which script a language is written in, and how much of a text is in it."""

from functools import lru_cache

import regex

from mtpeft.core.languages import SCRIPTS_WITHIN, script_of


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
    script = script_of(language)
    names = "".join(rf"\p{{Script={name}}}" for name in SCRIPTS_WITHIN.get(script, (script,)))
    # Letters that many scripts share, such as a long vowel mark, are of all of them.
    return regex.compile(rf"[{names}\p{{Script=Zyyy}}\p{{Script=Zinh}}]")
