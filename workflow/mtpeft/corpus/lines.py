"""Lines of text files in UTF-8."""

from pathlib import Path
from typing import NamedTuple

from mtpeft.corpus.compressed import read_chunks
from mtpeft.errors import UserError


class Line(NamedTuple):
    """A line of parallel text and its number in the file, counted from 1."""

    number: int
    source: str
    target: str


def read_lines(path: Path) -> list[str]:
    """Lines without byte order mark and line feed, as wc and editors count them; a carriage return is white space.

    Raises:
        UserError: the file can't be read, is not UTF-8, or holds nothing but white space.
    """
    content = b"".join(read_chunks(path)).removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise UserError(f"The corpus file {path} is empty: name a file with one sentence per line.")
    lines = content.removesuffix(b"\n").split(b"\n")
    return [_decode(line, path, number) for number, line in enumerate(lines, start=1)]


def _decode(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}, is not UTF-8 (byte 0x{line[error.start]:02x}): convert the file, as iconv does."
        ) from None
