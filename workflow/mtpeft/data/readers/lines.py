"""Lines of text files in UTF-8."""

from pathlib import Path
from typing import NamedTuple

from mtpeft.core.errors import UserError
from mtpeft.data.readers.compressed import read_chunks

BOM = b"\xef\xbb\xbf"
OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""Byte order marks of encodings that are not read; the longer ones come first."""


class Line(NamedTuple):
    """A line of parallel text and its number in the file, counted from 1."""

    number: int
    source: str
    target: str


def read_lines(path: Path) -> list[str]:
    """Lines without byte order mark and line end.

    A line ends with a line feed, as wc and editors count them, and a carriage return before it is white space. Where a
    file has no line feed at all, a carriage return ends a line, as on the first Macintosh. Nothing else does: neither
    a form feed nor the separators of Unicode.

    Raises:
        UserError: the file can't be read, is not UTF-8, or holds nothing but white space.
    """
    content = read_content(path)
    return split_lines(content, path, b"\n" if b"\n" in content else b"\r")


def read_content(path: Path) -> bytes:
    """Content of a text file without byte order mark.

    Raises:
        UserError: the file can't be read, says that it has another encoding, or holds nothing but white space.
    """
    content = b"".join(read_chunks(path))
    for mark, encoding in OTHER_ENCODINGS.items():
        if content.startswith(mark):
            raise UserError(f"The corpus file {path} is {encoding}: convert it to UTF-8, as iconv does.")
    content = content.removeprefix(BOM)
    if not content.strip():
        raise UserError(f"The corpus file {path} is empty: name a file with one sentence per line.")
    return content


def split_lines(content: bytes, path: Path, end: bytes) -> list[str]:
    """Lines of a content, each without the byte order mark that it begins with where files were put together.

    Raises:
        UserError: a line is not UTF-8 or has a NUL.
    """
    lines = content.removesuffix(end).split(end)
    return [_decode(line.removeprefix(BOM), path, number) for number, line in enumerate(lines, start=1)]


def _decode(line: bytes, path: Path, number: int) -> str:
    if b"\x00" in line:
        raise UserError(
            f"{path}, line {number}, has a NUL (byte {line.index(0) + 1} of it), so the file is UTF-16 without a mark "
            "or no text: convert it to UTF-8, as iconv does, or name a text file."
        )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}, is not UTF-8 (byte 0x{line[error.start]:02x}) from its byte {error.start + 1} on: "
            "convert the file, as iconv does."
        ) from None
