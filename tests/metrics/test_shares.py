"""Shares of odd hypotheses, which a corpus score hides."""

from pathlib import Path

import pytest

from mtpeft.core.files import read_record, write_lines, write_record
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.metrics.hypothesis_shares import SHARES, shares_of
from mtpeft.metrics.score import score
from support.model import SPANISH_ENGLISH, cell

SPANISH, ENGLISH = zip(*SPANISH_ENGLISH, strict=True)
HALF = len(SPANISH) // 2
GERMAN = ["Der Garten hinter dem Haus ist im Frühling besonders schön."] * len(SPANISH)
CASES = {
    "translated": ((ENGLISH, ("es", "en"), 3), {"empty": 0, "at_limit": 3 / 64, "copied": 0, "off_target": 0}),
    "copied": ((SPANISH, ("es", "en"), 0), {"empty": 0, "at_limit": 0, "copied": 1, "off_target": (0.9, 1)}),
    "half copied, in capitals": (
        (tuple(text.upper() for text in SPANISH[:HALF]) + ENGLISH[HALF:], ("es", "en"), 0),
        {"copied": 0.5, "off_target": (0.2, 0.5)},
    ),
    "nothing said": (((" ",) * 64, ("es", "en"), 64), {"empty": 1, "at_limit": 1, "copied": 0, "off_target": 0}),
    "a third language": ((GERMAN, ("es", "en"), 0), {"copied": 0, "off_target": 1}),
    "too short to tell": ((("Sí",) * 64, ("es", "en"), 0), {"off_target": 0}),
    "no model": ((ENGLISH, ("es", "en"), None), {"at_limit": None, "off_target": 0}),
}


@pytest.mark.parametrize("case", CASES)
def test_shares_of_hypotheses(case: str) -> None:
    (hypotheses, languages, at_limit), expected = CASES[case]
    found = shares_of(hypotheses, languages, sources=SPANISH, references=ENGLISH, at_limit=at_limit)
    assert tuple(found) == SHARES
    for name, value in expected.items():
        if isinstance(value, tuple):
            assert value[0] <= found[name] <= value[1]
        else:
            assert found[name] == value


def test_a_copy_does_not_count_where_the_reference_is_a_copy() -> None:
    lines = ["Firefox Nightly", "El archivo ya existe"]
    references = ["firefox  nightly", "The file already exists"]
    found = shares_of(lines, ("es", "en"), sources=lines, references=references, at_limit=0)
    assert found["copied"] == 0.5


@pytest.mark.parametrize("target", ["tzm", "nqo"])
def test_a_language_that_the_identifier_does_not_know_has_no_share(target: str) -> None:
    found = shares_of(ENGLISH, ("en", target), sources=ENGLISH, references=SPANISH, at_limit=0)
    assert found["off_target"] is None


def test_a_language_that_references_are_taken_for_counts_as_the_target() -> None:
    """Spanish text that is called Asturian is not in another language than Asturian references of the same kind."""
    found = shares_of(SPANISH, ("en", "ast"), sources=ENGLISH, references=SPANISH, at_limit=0)
    assert found["off_target"] in (0.0, None)


def test_an_empty_test_set_has_no_shares() -> None:
    found = shares_of([], ("es", "en"), sources=[], references=[], at_limit=0)
    assert found == dict.fromkeys(SHARES)


def test_the_record_of_a_score_has_them(tmp_path: Path) -> None:
    write_pairs(tmp_path / "test.tsv", [SentencePair(str(n), *pair) for n, pair in enumerate(SPANISH_ENGLISH)])
    write_lines(tmp_path / "hypotheses/test.txt", ENGLISH)
    write_record(tmp_path / "decode.json", {"status": "ok", "test_sets": {"test": {"at_limit": 16}}})
    params = {"step_version": 2, "source": "es", "target": "en"}
    files = {"decoded": tmp_path / "decode.json", "references": {"test": tmp_path / "test.tsv"}}
    score(params, cell("none"), **files, record=tmp_path / "score.json")
    shares = read_record(tmp_path / "score.json")["test_sets"]["test"]["shares"]
    assert shares == {"empty": 0.0, "at_limit": 0.25, "copied": 0.0, "off_target": 0.0}
