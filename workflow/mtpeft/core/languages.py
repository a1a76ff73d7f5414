"""Languages by their BCP 47 tags: what others call them, and whether two tags mean one language.

`sw` is `sw_KE`, `swa` or `swh_Latn`, and `Swahili`. A tag has a language, and may have a script and a region; what it
leaves out is the likely one of CLDR (Unicode Technical Standard 35, likely subtags).
"""

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

WHOLE = {"dik": "din", "fuv": "ff", "no": "nb", "pbt": "ps", "quy": "qu"}
"""Languages and the macrolanguages that they stand for, beside CLDR's aliases, and Norwegian, which is Bokmål."""
SCRIPTS_WITHIN = {
    "Hanb": ("Hani",),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Hrkt": ("Hira", "Kana"),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
}
"""Scripts of Unicode that a script of ISO 15924 is made of, where it is not one of them itself."""
VARIANTS = {"Aran": "Arab", "Cyrs": "Cyrl", "Latf": "Latn", "Latg": "Latn", "Syre": "Syrc", "Syrj": "Syrc"}
"""Styles of a script that have a code of their own."""


class Meaning(NamedTuple):
    """The meaning of a language tag.

    Attributes:
        own: its language, as the registry writes it.
        language: the macrolanguage in its place, where that usually means it.
        script: that it is written in; None where it is unknown.
        says_script: whether the tag says so itself, or by a region where another script is usual.
        region: that of the tag, or the likely one.
        says_region: whether the tag says so itself.
    """

    own: str
    language: str
    script: str | None
    says_script: bool
    region: str | None
    says_region: bool


def match(language: str, names: Mapping[str, str]) -> str | None:
    """The name that means a language, or None where none does or more than one might.

    The very name or tag wins, then the same script in the nearest region. A tag that says no script takes the only
    one that there is, however unusual.

    Args:
        language: BCP 47 tag.
        names: each name with the tag that it stands for.
    """
    written = _plain(language)
    for name, tag in names.items():
        if written in (_plain(name), _plain(tag)):
            return name
    alike = _in_script(language, names)
    if alike:
        return min(alike, key=lambda name: _distance(language, names[name]))
    others = rivals(language, names)
    return others[0] if len(others) == 1 else None


def rivals(language: str, names: Mapping[str, str]) -> list[str]:
    """Names of a language in scripts among which its tag does not choose; `match` finds none where there are several.

    Args:
        language: BCP 47 tag.
        names: each name with the tag that it stands for.
    """
    if _meaning(language).says_script or _in_script(language, names):
        return []
    return [name for name, tag in names.items() if same_language(language, tag)]


def nearest(language: str, tags: Iterable[str]) -> str | None:
    """The tag of text that may be taken for a language: `pt` for `pt-BR` and the other way round, but not `pt-PT`.

    The very tag wins, then the nearest region. A tag that says no script is in the likely one.
    """
    return _nearest(language, tuple(tags))


def same_language(one: str, other: str) -> bool:
    """Whether two tags mean one language, in whatever script and region: `zh-Hant` and `cmn`, not `id` and `ms`."""
    return main_language(one) == main_language(other)


def main_language(tag: str) -> str:
    """The language of a tag in its shortest form, without script and region: `zh` for `cmn_Hant` and `zh-TW`."""
    return _meaning(tag).language


def written_language(tag: str) -> tuple[str, str | None]:
    """The language of a tag in its shortest form, and its script; the region does not count."""
    return _meaning(tag).language, _meaning(tag).script


def script_of(tag: str) -> str:
    """The ISO 15924 code of the script that a language is written in: its own or the likely one, `Latn` if unknown."""
    return _meaning(tag).script or "Latn"


def is_language(tag: str) -> bool:
    """Whether the registry of BCP 47 knows a tag."""
    from langcodes import tag_is_valid

    return tag_is_valid(tag)


def english_name(language: str) -> str:
    """The English name of a language, such as `German`."""
    from langcodes import Language

    return Language.get(language).language_name("en")


def _in_script(language: str, names: Mapping[str, str]) -> list[str]:
    """Names of a language in the script that its tag says or that is likely."""
    wanted = _meaning(language)
    known = {name: _meaning(tag) for name, tag in names.items()}
    return [
        name
        for name, meant in known.items()
        if meant.language == wanted.language and _share_script(meant.script, wanted.script)
    ]


@lru_cache(maxsize=4096)
def _nearest(language: str, tags: tuple[str, ...]) -> str | None:
    wanted = _meaning(language)

    def fits(tag: str) -> bool:
        meant = _meaning(tag)
        elsewhere = wanted.says_region and meant.says_region and wanted.region != meant.region
        return meant.language == wanted.language and _share_script(meant.script, wanted.script) and not elsewhere

    very = next((tag for tag in tags if _plain(tag) == _plain(language)), None)
    return very or min(filter(fits, tags), key=lambda tag: _distance(language, tag), default=None)


def _share_script(one: str | None, other: str | None) -> bool:
    """Whether two scripts are the same, or one is part of the other; simplified Han is none of traditional Han."""
    if None in (one, other) or one == other:
        return True
    return other in SCRIPTS_WITHIN.get(one, ()) or one in SCRIPTS_WITHIN.get(other, ())


def _distance(language: str, tag: str) -> tuple[bool, bool, bool, int]:
    """Distance of a tag from a wanted one of the same language: by region, by the language meant, and by CLDR."""
    from langcodes import standardize_tag, tag_distance

    wanted, meant = _meaning(language), _meaning(tag)
    other = standardize_tag(tag) != standardize_tag(language)
    return other, meant.region != wanted.region, meant.own != wanted.own, tag_distance(language, tag)


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()


@lru_cache(maxsize=4096)
def _meaning(tag: str) -> Meaning:
    from langcodes import Language
    from langcodes.data_dicts import LIKELY_SUBTAGS, MACROLANGUAGES
    from langcodes.tag_parser import LanguageTagError

    try:
        given = Language.get(tag)
    except LanguageTagError:
        return Meaning(tag, tag, None, says_script=False, region=None, says_region=False)
    own = given.language or tag
    whole = given.prefer_macrolanguage().language or own
    # CLDR guesses the script of English for a language that it does not know; its macrolanguage is a better guess.
    known = next((code for code in (own, MACROLANGUAGES.get(own)) if code in LIKELY_SUBTAGS), None)
    likely = Language.make(known, territory=given.territory).maximize() if known else given
    usual = Language.get(known).maximize().script if known else None
    script = given.script or likely.script
    return Meaning(
        own=own,
        language=WHOLE.get(whole, whole),
        script=VARIANTS.get(script, script),
        says_script=bool(given.script) or script != usual,
        region=likely.territory,
        says_region=given.territory is not None,
    )


ENGLISH = "en"
"""The language that one side of most pairs is in."""
DISTANCES = Path(__file__).parents[2] / "distances" / "lang2vec.csv"
"""Distances of languages from each other."""


@lru_cache(maxsize=1)
def languages_with_distances() -> frozenset[str]:
    """The languages that distances are known from, in their shortest form."""
    with DISTANCES.open(encoding="utf-8", newline="") as file:
        return frozenset(main_language(row["origin"]) for row in csv.DictReader(file))
