"""Names in scripts that the font of the figures lacks."""

import os
import warnings
from pathlib import Path

import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from mtpeft.figures.plotting.fonts import FAMILY, use_fonts_that_have_all_letters
from mtpeft.figures.plotting.style import figure_style

CHINESE = "中文 and 日本語"


@pytest.fixture
def chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of fonts that matplotlib made before the fonts of this machine were installed."""
    if not Path("/usr/share/fonts/truetype/wqy").is_dir():
        why = "needs the fonts that `make ci-setup` installs"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    own = [font for font in font_manager.fontManager.ttflist if "matplotlib" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)


def figure_with(title: str, label: str = "chrF") -> Figure:
    figure = Figure(figsize=(3.3, 2))
    figure.add_subplot().set(title=title, xlabel=label)
    return figure


def test_names_are_drawn_in_fonts_that_have_their_letters(chinese_font: None, tmp_path: Path) -> None:
    with figure_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figure_with(CHINESE, "العربية, עברית")
        use_fonts_that_have_all_letters(figure)
        for suffix in ("png", "svg", "pdf"):
            figure.savefig(tmp_path / f"figure.{suffix}")
    families = {text.get_text(): text.get_fontfamily() for text in figure.findobj(Text)}
    assert families[CHINESE] == [FAMILY, "WenQuanYi Micro Hei"]
    assert families["العربية, עברית"] == [FAMILY]


def test_a_font_that_can_not_be_read_is_left_out(
    chinese_font: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    there = font_manager.findSystemFonts()
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf"), *there])
    with figure_style():
        figure = figure_with(CHINESE)
        use_fonts_that_have_all_letters(figure)
    assert {text.get_text(): len(text.get_fontfamily()) for text in figure.findobj(Text)}[CHINESE] == 2


def test_letters_that_no_font_has_are_named(chinese_font: None, capsys: pytest.CaptureFixture[str]) -> None:
    cuneiform = "\N{CUNEIFORM SIGN A}"
    with figure_style():
        use_fonts_that_have_all_letters(figure_with(f"{CHINESE} {cuneiform}"))
    said = f"No font of this machine has '{cuneiform}' of '{CHINESE} {cuneiform}'; install one, such as Noto Sans."
    assert capsys.readouterr().err == f"mtpeft: warning: {said}\n"


def test_a_figure_in_latin_letters_is_the_same_whatever_fonts_there_are(tmp_path: Path) -> None:
    drawn = []
    for look in (use_fonts_that_have_all_letters, lambda figure: None):
        with figure_style():
            figure = figure_with("full, größer, α")
            look(figure)
            figure.savefig(tmp_path / "figure.svg", metadata={"Date": None})
        drawn.append((tmp_path / "figure.svg").read_bytes())
    assert drawn[0] == drawn[1]
