"""Languages by their BCP 47 tags: what others call them. `sw` is `sw_KE`, `sw` or `swh_Latn`, and `Swahili`."""

from collections.abc import Mapping

RATHER = {"fa": "pes", "ff": "fuv-Latn", "nb": "no", "no": "nb", "ps": "pbt-Arab", "qu": "quy-Latn"}
"""Languages that some know as one of their parts, or as a whole, which CLDR's aliases do not say."""

Key = tuple[str | None, str | None]


def match(language: str, names: Mapping[str, str]) -> str | None:
    """The name whose tag means the same language in the same script, or None.

    `RATHER` counts first, then the tag itself, then its macrolanguage.

    Args:
        language: BCP 47 tag.
        names: each name with the tag that it stands for.
    """
    tries = [(_exact, RATHER[language])] if language in RATHER else []
    for key, tag in (*tries, (_exact, language), (_general, language)):
        wanted = key(tag)
        for name, meant in names.items():
            if key(meant) == wanted:
                return name
    return None


def is_language(tag: str) -> bool:
    """Whether the registry of BCP 47 knows a tag."""
    from langcodes import tag_is_valid

    return tag_is_valid(tag)


def english_name(language: str) -> str:
    """The English name of a language, such as `German`."""
    from langcodes import Language

    return Language.get(language).language_name("en")


def _exact(tag: str) -> Key:
    from langcodes import Language

    likely = Language.get(tag).maximize()
    return likely.language, likely.script


def _general(tag: str) -> Key:
    from langcodes import Language

    likely = Language.get(tag).prefer_macrolanguage().maximize()
    return likely.language, likely.script
