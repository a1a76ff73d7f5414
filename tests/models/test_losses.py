"""Losses of text in tokenisation, which are reported in records, in tables and on the terminal."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mtpeft.cli import main
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.data.encode import encode_pair
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.decoding.decode import decode
from mtpeft.decoding.translator import Translator, load_cell
from mtpeft.front.translate import lines_of
from mtpeft.models.tokenizer import LossWarning, encode, losses, open_tokenizer
from mtpeft.training.untrained import record_untrained
from support.family import CHECKPOINTS, LANGUAGES, build_checkpoint
from support.model import arrays, cell, decode_params

CHEROKEE = "ᏣᎳᎩ"
"""Letters that no vocabulary here has."""
LONG = "Abre la puerta del jardín y cierra la ventana. " * 12
LONGEST = 64


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_sentence_is_cut_or_not_and_its_unknown_tokens_are_counted(tmp_path: Path, name: str) -> None:
    tokenizer = open_tokenizer(build_checkpoint(name, tmp_path), LANGUAGES, vocabulary=name)
    for side in ("source", "target"):
        (whole,) = encode(tokenizer, [LONG], side, max_length=10_000)
        assert len(whole) > LONGEST
        given = ["Abre la puerta", LONG, f"Abre {CHEROKEE} la puerta {CHEROKEE}", f"x{CHEROKEE}y", "", "</s>"]
        rows = encode(tokenizer, given, side, max_length=LONGEST)
        found = losses(tokenizer, given, rows, side, max_length=LONGEST)
        assert [loss.truncated for loss in found] == [False, True, False, False, False, False]
        assert [loss.unknown > 0 for loss in found] == [False, False, True, True, False, True]
        # What has just the room that there is, is whole.
        exact = encode(tokenizer, [LONG], side, max_length=len(whole))
        assert not losses(tokenizer, [LONG], exact, side, max_length=len(whole))[0].truncated
        assert losses(tokenizer, [LONG], [whole[:-1]], side, max_length=len(whole) - 1)[0].truncated


def test_token_arrays_count_and_the_step_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build_checkpoint("nllb", tmp_path / "nllb")
    pairs = [("Abre la puerta", "Open the door"), (LONG, f"{CHEROKEE} door"), ("Cierra", "Close it")]
    write_pairs(tmp_path / "train.tsv", [SentencePair(str(number), *pair) for number, pair in enumerate(pairs)])
    to = tmp_path / "train.safetensors"
    params = {**LANGUAGES, "vocabulary": "nllb"}
    encode_pair(params, tokenizer=folder, parts={tmp_path / "train.tsv": to})
    counts = read_counts(to)
    assert [(own.sentences, own.truncated, own.unknown) for own in counts.values()] == [(3, 1, 0), (3, 0, 1)]
    said = capsys.readouterr().err
    assert "train.tsv, as 'nllb' reads it: 1 of 3 source sentences (33.3%) are longer than the model reads" in said
    assert "target tokens" in said
    assert "source tokens" not in said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(1000, 9000, 10, 90), 0),
        (Counts(1000, 9000, 11, 90), 1),
        (Counts(1000, 9000, 11, 91), 2),
        (Counts(0, 0, 0, 0), 0),
    ],
)
def test_losses_above_one_per_cent_give_a_warning(counts: Counts, said: int) -> None:
    assert len(list(loss_warnings({"source": counts}, "text"))) == said


@pytest.fixture(scope="module")
def trained(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untouched base that can be translated with."""
    folder = tmp_path_factory.mktemp("untouched")
    base = sweep / "results/models/tiny/base.json"
    params = {**decode_params(), "method": {"method": "none"}}
    record_untrained(params, cell("none"), base=base, subset=None, record=folder / "train.json")
    return folder


@pytest.fixture(scope="module")
def translator(trained: Path) -> Translator:
    return load_cell(trained)


def test_the_record_of_a_decoding_counts(sweep: Path, trained: Path) -> None:
    record = trained / "decode.json"
    decode(
        decode_params(),
        cell("none"),
        trained=trained / "train.json",
        tests={"test": arrays(sweep, "test")},
        record=record,
    )
    described = read_record(record)["test_sets"]["test"]
    assert 0 <= described["at_limit"] <= described["sentences"]
    assert list(described["tokens"]) == ["source", "target"]
    assert all(set(counted) == set(vars(Counts(0, 0, 0, 0))) for counted in described["tokens"].values())


def test_a_loaded_cell_warns_of_each_sentence_that_loses_something(translator: Translator) -> None:
    with pytest.warns(LossWarning) as told:
        found = translator(["Abre la puerta", LONG, f"Abre {CHEROKEE}", "", " \u2028 "])
    said = [str(warning.message) for warning in told if warning.category is LossWarning]
    assert said[0] == "sentence 2 is longer than the 48 tokens that the model reads; its end is cut off."
    assert said[-1].startswith("sentence 3 has ")
    assert said[-1].endswith(" that the vocabulary does not know; what they stand for is lost.")
    assert not any(line.startswith("sentence 1") for line in said)
    assert len(found) == 5
    assert found[3:] == ["", ""]


def test_text_is_read_in_nfc(translator: Translator) -> None:
    given = ["Añade  otra\u2028cuenta", "An\u0303ade otra cuenta "]
    assert len(set(translator(given))) == 1


def test_half_a_surrogate_pair_is_no_text(translator: Translator) -> None:
    with pytest.raises(UserError, match=r"Sentence 2 holds '\\ud83d', half of a surrogate pair"):
        translator(["Abre la puerta", "\ud83d la puerta"])


LINES = {
    b"one\ntwo\n": ["one", "two"],
    b"one\ntwo": ["one", "two"],
    b"one\r\ntwo\r\n": ["one", "two"],
    b"one\rtwo\r": ["one", "two"],
    b"\xef\xbb\xbfone\n": ["one"],
    b"one\n\n\ntwo\n": ["one", "", "", "two"],
    b"\n": [""],
    "one\u2028a\x0bb\x0cc\x85d\x1ce\ntwo\n".encode(): ["one\u2028a\x0bb\x0cc\x85d\x1ce", "two"],
    b"x" * 1_000_000: ["x" * 1_000_000],
}


@pytest.mark.parametrize("content", LINES, ids=lambda content: repr(content[:20]))
def test_a_line_feed_ends_a_line_of_standard_input_and_nothing_else(content: bytes) -> None:
    assert lines_of(content) == LINES[content]


REFUSED = {
    b"": "Standard input is empty",
    b"\xef\xbb\xbf": "Standard input is empty",
    b"uno\ndos\nma\xf1ana\n": r"Standard input, line 3, is not UTF-8 \(byte 0xf1\) from its byte 3 on",
    "uno\n".encode("utf-16"): r"Standard input, line 1, (is not UTF-8|has a NUL)",
    b"uno\nd\x00s\n": r"Standard input, line 2, has a NUL",
    b"uno\n\xed\xa0\xbd\n": r"Standard input, line 2, is not UTF-8",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda content: repr(content[:20]))
def test_what_is_no_text_is_refused_by_its_line(content: bytes) -> None:
    with pytest.raises(UserError, match=REFUSED[content]):
        lines_of(content)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))

    return give


def test_translate_says_what_is_lost_by_line(
    trained: Path,
    given: Callable,
    translator: Translator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """It writes UTF-8 whatever the locale, a line for a line."""
    out = io.BytesIO()
    given(f"Abre la puerta\r\n\r\nAbre {CHEROKEE}\r\n{LONG}\r\n".encode())
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    with pytest.raises(SystemExit) as ended:
        main(["translate", "--cell", str(trained)])
    sys.stdout.flush()
    assert not ended.value.code
    expected = translator(["Abre la puerta", "", f"Abre {CHEROKEE}", LONG])
    assert out.getvalue().decode("utf-8") == "".join(f"{line}\n" for line in expected)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mtpeft: warning:")]
    assert list(dict.fromkeys(line.split(" ")[3] for line in said)) == ["3", "4"]
    assert any("line 4 is longer than the 48 tokens" in line for line in said)


def test_translate_ends_with_one_sentence_where_input_is_no_text(
    trained: Path, given: Callable, capsys: pytest.CaptureFixture
) -> None:
    given(b"Abre\nma\xf1ana\n")
    with pytest.raises(SystemExit) as ended:
        main(["translate", "--cell", str(trained)])
    assert ended.value.code == 2
    assert "mtpeft: Standard input, line 2, is not UTF-8" in capsys.readouterr().err
