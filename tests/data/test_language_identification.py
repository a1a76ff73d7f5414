"""Sides that are swapped, in another language, or the same."""

import pytest

from mtpeft.core.errors import UserError
from mtpeft.data.language_identification import check_sides, side_warnings
from mtpeft.data.sources.files import read_parallel
from support.corpus import SENTENCES

COLUMNS = dict(zip(("en", "es", "de"), zip(*SENTENCES, strict=True), strict=True))


def pairs(source: str, target: str) -> list[tuple[str, str]]:
    return list(zip(COLUMNS[source], COLUMNS[target], strict=True))


# What stands on each side, and the languages that are read there.
SWAPPED = [
    ("es", "en", "en", "es"),
    ("de", "es", "spa", "deu"),
    ("en", "de", "de-AT", "en-GB"),
    ("en", "es", "sat", "en"),
]
RIGHT = [("es", "en", "es", "en"), ("es", "en", "es-MX", "eng"), ("es", "en", "sat", "en"), ("en", "de", "en", "sat")]


@pytest.mark.parametrize(("first", "second", "source", "target"), SWAPPED)
def test_swapped_sides_are_refused(first, second, source, target):
    with pytest.raises(UserError, match=f"a.tsv has '{target}' where '{source}' is read .*: swap the two"):
        check_sides(pairs(first, second), (source, target), "a.tsv")


@pytest.mark.parametrize(("first", "second", "source", "target"), RIGHT)
def test_sides_in_their_places_pass(first, second, source, target):
    check_sides(pairs(first, second), (source, target), "a.tsv")
    assert list(side_warnings(pairs(first, second), (source, target))) == []


@pytest.mark.parametrize("languages", [("hr", "sr-Latn"), ("nb", "da"), ("id", "ms"), ("zh-Hans", "zh-Hant")])
def test_languages_that_are_taken_for_each_other_are_not_compared(languages):
    check_sides(pairs("es", "en"), languages, "a.tsv")


def test_little_text_says_nothing_of_its_language():
    check_sides(pairs("es", "en")[:1], ("en", "es"), "a.tsv")


@pytest.mark.parametrize(
    ("first", "second", "languages", "expected"),
    [
        ("es", "de", ("es", "en"), "the side of es-en that should be 'en' looks like 'de'"),
        ("es", "es", ("es", "en"), "36 of 36 pairs of es-en have the same text on both sides"),
    ],
)
def test_sides_that_look_wrong_are_named(first, second, languages, expected):
    assert expected in " ".join(side_warnings(pairs(first, second), languages))


def test_a_file_for_both_sides_is_refused_under_any_name(tmp_path):
    (tmp_path / "a.es").write_text("\n".join(COLUMNS["es"]))
    (tmp_path / "b.en").symlink_to("a.es")
    with pytest.raises(UserError, match=r"a.es is named for both sides: name the text and its translation"):
        read_parallel({"es": tmp_path / "a.es", "en": tmp_path / "b.en"}, source="es", target="en")
