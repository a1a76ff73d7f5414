"""Lines of text files in UTF-8."""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from mtpeft.core.errors import UserError

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


CHUNK = 1 << 16
ZSTD_CHUNK = 1 << 10
"""Packed bytes at a time: a frame may become thirty thousand times larger."""
SIGNATURES = {
    b"\x1f\x8b": ".gz",
    b"\xfd7zXZ\x00": ".xz",
    b"(\xb5/\xfd": ".zst",
    b"BZh91AY&SY": ".bz2",
    b"PK\x03\x04": ".zip",
}
"""First bytes of compressed files, and how the names of such files end."""
MOST_UNPACKED, MOST_RATIO = 1 << 27, 200
"""Bytes up to which everything is unpacked, and how many times larger than the file it may be beyond that: text becomes
ten times larger, the most repetitive a hundred times."""
DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def read_chunks(path: Path) -> Iterator[bytes]:
    """Content of a file in pieces of at most 64 KiB, unpacked if its name ends with .gz, .xz or .zst.

    Raises:
        UserError: there is no such file, it is cut short, it is not what the end of its name says, or it becomes so
            large that it can't be text.
    """
    _refuse_bytes(path)
    suffix = path.suffix.lower()
    unpacked = UNPACKERS.get(suffix, _not_packed)
    try:
        with path.open("rb") as file:
            yield from _bounded(unpacked(file), path)
    except FileNotFoundError:
        raise UserError(f"The corpus file {path} does not exist: write a path that does, from {Path.cwd()}.") from None
    except DAMAGES as error:
        raise UserError(
            f"The corpus file {path} is no whole {suffix} file ({str(error).rstrip('.')}): compress or download it "
            "again, or correct the end of its name."
        ) from None
    except OSError as error:
        raise UserError(f"The corpus file {path} cannot be read ({error.strerror}): name a text file.") from None


def _refuse_bytes(path: Path) -> None:
    """Records and Snakemake's own state hold names of files as text."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"The name of the corpus file {str(path)!a} is not UTF-8: rename the file.") from None


def _bounded(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    unpacked, most = 0, max(MOST_UNPACKED, MOST_RATIO * path.stat().st_size)
    for chunk in chunks:
        unpacked += len(chunk)
        if unpacked > most:
            raise UserError(
                f"The corpus file {path} becomes more than {MOST_RATIO} times larger when it is unpacked, as no text "
                "does: name another file, or unpack it yourself if it is one."
            )
        yield chunk


def _not_packed(file: BinaryIO) -> Iterator[bytes]:
    start = file.read(CHUNK)
    for signature, suffix in SIGNATURES.items():
        if start.startswith(signature):
            raise UserError(
                f"The corpus file {file.name} is compressed, as {suffix} files are: unpack it, or let its name end "
                "with .gz, .xz or .zst if it is one of these."
            )
    yield start
    yield from _pieces(file)


def _gzip_pieces(file: BinaryIO) -> Iterator[bytes]:
    return _pieces(gzip.GzipFile(fileobj=file))


def _xz_pieces(file: BinaryIO) -> Iterator[bytes]:
    return _pieces(lzma.LZMAFile(file))


def _zstd_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Frame by frame, since the library's own stream of frames ends without a word where the last one is cut short."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    for chunk in iter(lambda: file.read(ZSTD_CHUNK), b""):
        packed = chunk
        while packed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            unpacked = frame.decompress(packed)
            yield from (unpacked[start : start + CHUNK] for start in range(0, len(unpacked), CHUNK))
            packed = frame.unused_data
    if not frame.eof:
        raise EOFError("its last frame does not end")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


UNPACKERS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    ".gz": _gzip_pieces,
    ".xz": _xz_pieces,
    ".zst": _zstd_pieces,
}
"""How a file is unpacked, by the end of its name."""
