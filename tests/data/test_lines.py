"""Lines of text files: where they end, in which encoding they are, and how large they may become."""

import bz2
import gzip
import lzma
import os

import pytest
import zstandard

from mtpeft.core.errors import UserError
from mtpeft.data.readers.lines import MOST_UNPACKED, read_text_lines
from mtpeft.data.sources.files import read_parallel

SWAHILI, ENGLISH = ["Mvua imekatika.", "Tunatoka nje."], ["The rain stopped.", "We go out."]


def sides(folder, source: bytes, target: bytes) -> list[tuple[str, str]]:
    (folder / "a.sw").write_bytes(source)
    (folder / "a.en").write_bytes(target)
    lines = read_parallel({"sw": folder / "a.sw", "en": folder / "a.en"}, source="sw", target="en")
    return [(line.source.strip(), line.target.strip()) for line in lines]


@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
@pytest.mark.parametrize("target", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("source", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_line_end_is_one(source, target, last, tmp_path):
    texts = [end.join(lines) + end * last for end, lines in ((source, SWAHILI), (target, ENGLISH))]
    assert sides(tmp_path, *(text.encode() for text in texts)) == list(zip(SWAHILI, ENGLISH, strict=True))


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\r"])
def test_unusual_line_separators_are_text_where_line_numbers_match(inside, tmp_path):
    found = sides(tmp_path, f"Mvua{inside}kubwa\nChai\n".encode(), b"Heavy rain\nTea\n")
    assert found == [(f"Mvua{inside}kubwa", "Heavy rain"), ("Chai", "Tea")]


# Source, target, and the pairs that are read or what the sentence says.
UNEQUAL = {
    "blank lines at the end": (b"Mvua\nChai\n\n \n", b"Rain\nTea\n", [("Mvua", "Rain"), ("Chai", "Tea")]),
    "blank lines at both ends": (b"Mvua\nChai\n\n", b"Rain\nTea\n\n\n", [("Mvua", "Rain"), ("Chai", "Tea")]),
    "joined from two systems": (b"Mvua\rChai\nKaribu\n", b"Rain\nTea\nWelcome\n",
                                [("Mvua", "Rain"), ("Chai", "Tea"), ("Karibu", "Welcome")]),
    "a line less": (b"Mvua\nChai\n", b"Rain\n", "a.sw has 2 lines but .*a.en has 1: give two files"),
    "a return in a line": (b"Mvua\rkubwa\rsana\nChai\n", b"Rain\nTea\nWelcome\nHome\nNow\n",
                           "a.sw has 2 lines but .*a.en has 5; .*a.sw has a carriage return in line 1, which ends a"),
    "a separator of Unicode": ("Mvua\nChai\u2028Kahawa\n".encode(), b"Rain\nTea\nCoffee\n",
                               r"a.sw has 2 lines but .* has 3; .*a.sw has U\+2028 in line 2, which ends a line"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNEQUAL)
def test_unequal_numbers_of_lines(case, tmp_path):
    source, target, expected = UNEQUAL[case]
    if isinstance(expected, list):
        assert sides(tmp_path, source, target) == expected
    else:
        with pytest.raises(UserError, match=expected):
            sides(tmp_path, source, target)


ENCODINGS = {
    "UTF-16": ("Mvua\nChai\n".encode("utf-16"), "a.sw is UTF-16: convert it to UTF-8, as iconv does"),
    "UTF-16 of the other order": (b"\xfe\xff" + "Mvua\n".encode("utf-16-be"), "a.sw is UTF-16"),
    "UTF-16 without a mark": ("Mvua\n".encode("utf-16-le"), r"a.sw, line 1, has a NUL \(byte 2 of it\).*UTF-16"),
    "UTF-32": ("Mvua\n".encode("utf-32"), "a.sw is UTF-32"),
    "Latin-1": (b"Mvua\ncaf\xe9\n", r"a.sw, line 2, is not UTF-8 \(byte 0xe9\) from its byte 4 on: convert the file"),
    "half a character": ("Mvua 🌧"[:-1].encode() + "🌧".encode()[:2] + b"\n", r"line 1, is not UTF-8 \(byte 0xf0\)"),
    "zip": (b"PK\x03\x04" + bytes(50), "compressed, as .zip files are"),
    "bz2": (bz2.compress(b"Mvua\n"), "compressed, as .bz2 files are"),
}


@pytest.mark.parametrize("case", ENCODINGS)
def test_other_encodings_are_named(case, tmp_path):
    content, expected = ENCODINGS[case]
    with pytest.raises(UserError, match=expected):
        sides(tmp_path, content, b"Rain\nCoffee\n")


def test_a_byte_order_mark_is_no_text_wherever_files_were_joined(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfMvua\n\xef\xbb\xbfChai\n")
    assert read_text_lines(tmp_path / "a") == ["Mvua", "Chai"]


COMPRESSORS = {
    ".gz": gzip.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zst": zstandard.compress,
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_compressed_file_that_grows_too_large_is_refused(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(COMPRESSORS[suffix](bytes(MOST_UNPACKED + 1)))
    with pytest.raises(UserError, match=f"a{suffix} becomes more than 200 times larger when it is unpacked"):
        read_text_lines(path)


def test_repetitive_text_is_read(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"Mvua imekatika.\n" * 1_000_000))
    assert len(read_text_lines(tmp_path / "a.gz")) == 1_000_000


def test_a_name_that_is_not_utf_8_is_shown(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(name, "wb") as file:
        file.write(b"Mvua\n")
    with pytest.raises(UserError, match=r"caf\\udce9.txt' is not UTF-8: rename the file"):
        read_text_lines(tmp_path / os.fsdecode(b"caf\xe9.txt"))
