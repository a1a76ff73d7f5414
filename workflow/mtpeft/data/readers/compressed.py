"""The bytes of a file, unpacked where the end of its name says that it is compressed."""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from mtpeft.core.errors import UserError

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
