"""Remove markup from a message, and mask what is not language by word-like tokens: placeholders, URLs, code.

The tokens look like words (VAR0, URL0), since symbols such as <0> make a plain copy of the source score well in BLEU.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

FIRST_MASK = 0xE000
LAST_MASK = 0xF8FF
"""Range of private-use characters, which mask items until sentences are split and the tokens can be numbered."""
MASKED = re.compile("[\ue000-\uf8ff]")
TOKEN = re.compile(r"(?:VAR|URL)\d")
LEFTOVER = re.compile(r"[{}`|\\]|<[\w/!]|\*\*|\]\(|\[%")
"""Signs of markup that no sentence should have left: of templates, tags, code, links and references to messages."""
SPAN = "{0,500}"
"""Most characters after an opening that nothing closes; the limit makes the time linear in the length."""

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_BLOCK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|h[1-6]|pre)\b[^<>]*>", re.IGNORECASE)
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|em|i|img|kbd|mark|q|s|small|span|strong|sub|sup|svg|time|u|use)\b[^<>]*>", re.IGNORECASE
)
_IMAGE = re.compile(rf"!\[[^\]]{SPAN}\]\([^()\s]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
# Ideographs may touch the marks of emphasis, letters may not: snake_case and 2*3*4 are none.
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9_*])(\*\*|__|\*|_)(?=\S)([^*_\n]+?)(?<=\S)\1(?![A-Za-z0-9_*])")
_BLANK_LINES = re.compile(r"\n\s*\n")
_LINE_START = re.compile(r"^\s*+(?:#++|[-*•>]|\d++[.)])\s+", re.MULTILINE)
# Each run of white space or of dashes is looked at once, from its beginning.
_ARROW = re.compile(r"(?:(?<!\s)\s*+|(?<=\s))(?:(?<!-)-++>|→)\s*")
# Translators often write other quotes around a placeholder than back quotes, so these do not count as code.
_QUOTED_PLACEHOLDER = re.compile(r"`\s*(\{[^{}`]+\})\s*`")
_ITEM = re.compile(
    rf"""
    (?P<CODE> <code>.{SPAN}?</code> | ``.+?`` | `[^`\n]+` )
    | (?P<URL> (?:https?|ftp|file)://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]。，；：！？）」] | www\.[\w.-]+\w
        | (?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]*\w )
    | (?P<NAMED> \{{\{{.{SPAN}?\}}\}} | \{{%.{SPAN}?%\}} | \$\{{[^{{}}]*\}} | \{{[^{{}}]+\}}
        | %\(\w+\)[-+0#]*+[\d.]*+[a-z] | %\d+\$[sd] | \$t\([^)]{SPAN}\) | <[\w./:-]+> )
    | (?P<POSITIONAL> \{{\}} | %[-+0#]*+[\d.]*+[sdrifxc](?!\w) )
    """,
    re.VERBOSE,
)


class Masks:
    """Masks of the items of one message: the same item has the same private-use character on all sides."""

    def __init__(self) -> None:
        self._characters: dict[tuple[str, int], str] = {}
        self._kinds: dict[str, str] = {}

    def mask(self, text: str) -> str:
        """Replace every placeholder, URL and code span of a text by one private-use character."""
        positional: Counter[str] = Counter()

        def character(match: re.Match[str]) -> str:
            item = match[0]
            # Positional placeholders are told apart by their order, since each occurrence has a value of its own.
            positional[item] += match.lastgroup == "POSITIONAL"
            key = (item, positional[item])
            if key not in self._characters:
                self._characters[key] = chr(min(FIRST_MASK + len(self._characters), LAST_MASK))
            self._kinds[self._characters[key]] = "URL" if match.lastgroup == "URL" else "VAR"
            return self._characters[key]

        return _ITEM.sub(character, text)

    def restored(self, text: str) -> str:
        """Replace the masks in a text by the items themselves."""
        items = {character: item for (item, _), character in self._characters.items()}
        return MASKED.sub(lambda match: items[match[0]], text)

    def numbered(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Replace masks by tokens, numbered from 0 by first occurrence in the first text, then in the others."""
        tokens: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for mask in MASKED.findall("".join(texts)):
            if mask not in tokens:
                kind = self._kinds[mask]
                tokens[mask] = f"{kind}{counts[kind]}"
                counts[kind] += 1
        return tuple(MASKED.sub(lambda match: tokens[match[0]], text) for text in texts)


def stripped(texts: Sequence[str], *, markup: bool = True, placeholders: bool = True) -> tuple[Masks, tuple[str, ...]]:
    """Remove markup from the versions of one message and mask items, as the options say; lines stay lines."""
    masks = Masks()
    found = list(texts)
    if markup:
        found = [_strip_tags(text) for text in found]
    if placeholders:
        found = [masks.mask(MASKED.sub("|", text)) for text in found]
    if markup:
        found = [_strip_emphasis(text) for text in found]
    return masks, tuple(found)


def same_masks(texts: Sequence[str]) -> bool:
    """Say whether all texts have the same masked items, each equally often."""
    first, *others = (sorted(MASKED.findall(text)) for text in texts)
    return all(other == first for other in others)


def _strip_tags(text: str) -> str:
    """Remove tags, images and the addresses of links."""
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    text = _unescape(_INLINE_TAG.sub("", _BLOCK_TAG.sub("\n", text)))
    return _QUOTED_PLACEHOLDER.sub(r"\1", _LINK.sub(r"\1", _IMAGE.sub("", text)))


def _unescape(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a number of thousands of digits, which Python does not read
        return text


def _strip_emphasis(text: str) -> str:
    """Remove signs of emphasis, and put each item of a list into a paragraph of its own."""
    text = _BLANK_LINES.sub("\n\n", text)
    text = _ARROW.sub(" > ", _LINE_START.sub("\n\n", text))
    # Twice, since emphasis is nested: **bold _and italic_**.
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text)).replace("%%", "%")
