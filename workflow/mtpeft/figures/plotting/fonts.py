"""Find fonts for names in scripts that the font of the figures lacks, such as Chinese.

Figures in Latin script never come here, so that they have the same bytes on machines with other fonts. Letters of
scripts that run from right to left are ordered and joined by matplotlib itself.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtpeft.core.warnings import warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILY = "DejaVu Sans"
"""It comes with matplotlib, and has Latin, Greek, Cyrillic, Hebrew and Arabic letters."""
BOXES = "Last Resort"
"""The font that comes with matplotlib has a box for each letter of every script."""


def use_fonts_that_have_all_letters(figure: "Figure") -> None:
    """Give texts with letters that the font of the figures lacks other fonts as well; warn of letters that none has."""
    from matplotlib.text import Text

    texts = [(text, _lacking(text.get_text(), FAMILY)) for text in figure.findobj(Text)]
    nowhere = {}
    for text, lacking in texts:
        if lacking:
            families = _families_with(lacking)
            text.set_fontfamily([FAMILY, *families])
            nowhere[text.get_text()] = lacking.intersection(*(_lacking(text.get_text(), name) for name in families))
    warn(
        f"No font of this machine has '{''.join(sorted(letters))}' of '{text}'; install one, such as Noto Sans."
        for text, letters in nowhere.items()
        if letters
    )


def _families_with(letters: set[str]) -> list[str]:
    """Find installed families that have some letters, one after the other until each letter is in one."""
    families, left = [], letters
    for family in _families_of_this_machine() if letters else ():
        lacking = _lacking("".join(left), family)
        if lacking != left:
            families.append(family)
            left = lacking
        if not left:
            break
    return families


def _families_of_this_machine() -> Iterator[str]:
    """Yield the families of installed fonts that have upright letters of normal weight.

    matplotlib knows only those that were there when it listed them first, perhaps years ago.
    """
    from matplotlib import font_manager

    for file in set(font_manager.findSystemFonts()) - {font.fname for font in font_manager.fontManager.ttflist}:
        # What can't be read, such as a font of pictures alone, raises errors of many types, and is left out.
        with contextlib.suppress(Exception):
            font_manager.fontManager.addfont(file)
    upright = {font.name for font in font_manager.fontManager.ttflist if font.style == "normal" and font.weight == 400}
    yield from sorted(name for name in upright if name != FAMILY and not name.startswith(BOXES))


def _lacking(letters: str, family: str) -> set[str]:
    """Return the characters, without those that have no form of their own, that a family has no glyph for."""
    from matplotlib import font_manager

    file = font_manager.findfont(font_manager.FontProperties(family=[family]))
    known = font_manager.get_font(file).get_charmap()
    return {letter for letter in letters if letter.isprintable() and ord(letter) not in known}
