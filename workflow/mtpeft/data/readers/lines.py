"""Lines of text files in UTF-8, which may be compressed, and of two files whose lines translate each other."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from mtpeft.core.errors import UserError
from mtpeft.data.readers.base import Line

BOM = b"\xef\xbb\xbf"
OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""Byte order marks of encodings that are not read; the longer ones come first."""
OTHER_LINE_END = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
LINE_ENDS = {"\r": "a carriage return", "\v": "a vertical tab", "\f": "a form feed"}
"""Names of characters inside of lines that end lines for some programs."""
CHUNK = 1 << 16
ZSTD_CHUNK = 1 << 10
"""Compressed bytes read at a time: a frame of zstandard can become thirty thousand times larger."""
SIGNATURES = {
    b"\x1f\x8b": ".gz",
    b"\xfd7zXZ\x00": ".xz",
    b"(\xb5/\xfd": ".zst",
    b"BZh91AY&SY": ".bz2",
    b"PK\x03\x04": ".zip",
}
"""First bytes of compressed files, and how the names of such files end."""
MOST_UNPACKED, MOST_RATIO = 1 << 27, 200
"""Bytes up to which every file is unpacked, and how many times larger than the file its text may be beyond that. Text
becomes ten times larger, and the most repetitive text a hundred times."""


def read_text_lines(path: Path) -> list[str]:
    """Read the lines of a file, without byte order mark and line ends.

    A line ends with a line feed, as wc and editors count them, and a carriage return before it is white space. Where a
    file has no line feed at all, a carriage return ends a line, as on the first Macintosh. Nothing else does: neither
    a form feed nor the separators of Unicode.

    Raises:
        UserError: the file can't be read, is not UTF-8, or holds nothing but white space.
    """
    content = read_content(path)
    return split_lines(content, path, b"\n" if b"\n" in content else b"\r")


def read_content(path: Path) -> bytes:
    """Read the content of a text file without its byte order mark.

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
    """Split a content into lines; where files were put together, a line can begin with a byte order mark, which goes.

    Raises:
        UserError: a line is not UTF-8 or has a NUL.
    """
    lines = content.removesuffix(end).split(end)
    return [_decode(line.removeprefix(BOM), path, number) for number, line in enumerate(lines, start=1)]


def read_aligned_lines(source: Path, target: Path) -> list[Line]:
    """Read two files whose lines translate each other; blank lines at the end of only one of them don't count.

    A carriage return ends a line where a file has no line feed, and where both files then have equally many lines and
    otherwise have not. Else it is white space, as in text that was crawled.

    Raises:
        UserError: a file can't be read, both are one file, or they have different numbers of lines.
    """
    paths = (source, target)
    if source.resolve() == target.resolve():
        raise UserError(f"{source} is named for both sides: name the text and its translation.")
    sides = [read_text_lines(path) for path in paths]
    if len(sides[0]) != len(sides[1]):
        contents = [read_content(path).replace(b"\r\n", b"\n").replace(b"\r", b"\n") for path in paths]
        ends = [split_lines(content, path, b"\n") for content, path in zip(contents, paths, strict=True)]
        read = (sides, [_without_blank_end(side) for side in sides], ends, [_without_blank_end(side) for side in ends])
        found = next((lines for lines in read if len(lines[0]) == len(lines[1])), None)
        if found is None:
            raise UserError(_unequal(paths, sides))
        sides = found
    return [Line(number, *texts) for number, texts in enumerate(zip(*sides, strict=True), start=1)]


def read_chunks(path: Path) -> Iterator[bytes]:
    """Read a file in pieces of at most 64 KiB, decompressed if its name ends with .gz, .xz or .zst.

    Raises:
        UserError: there is no such file, it is cut short, it is not what the end of its name says, or it becomes so
            large that it can't be text.
    """
    _require_utf8_name(path)
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            yield from _bounded(DECOMPRESSORS.get(suffix, _plain_pieces)(file), path)
    except FileNotFoundError:
        raise UserError(f"The corpus file {path} does not exist: write a path that does, from {Path.cwd()}.") from None
    except OSError as error:
        raise UserError(f"The corpus file {path} cannot be read ({error.strerror}): name a text file.") from None
    except DamagedFileError as error:
        raise UserError(
            f"The corpus file {path} is no whole {suffix} file ({str(error).rstrip('.')}): compress or download it "
            "again, or correct the end of its name."
        ) from None


class DamagedFileError(Exception):
    """A compressed file is cut short or is not in the format that its name says."""


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


def _without_blank_end(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _unequal(paths: Sequence[Path], sides: Sequence[Sequence[str]]) -> str:
    (source, target), (sources, targets) = paths, map(len, sides)
    counts = f"{source} has {sources} lines but {target} has {targets}"
    odd = [
        f"{path} has {name} in line {number}"
        for path, lines in zip(paths, sides, strict=True)
        for number, name in _line_ends_of_others(lines)
    ]
    if odd:
        return (
            f"{counts}; {' and '.join(odd)}, which ends a line for some programs: take it out, or make it a line feed."
        )
    return f"{counts}: give two files in which the same lines translate each other."


def _line_ends_of_others(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Find the first line with a character inside that some programs take for a line end: its number and the name."""
    for number, line in enumerate(lines, start=1):
        if found := OTHER_LINE_END.search(line.strip()):
            return [(number, LINE_ENDS.get(found[0], f"U+{ord(found[0]):04X}"))]
    return []


def _require_utf8_name(path: Path) -> None:
    """Refuse a name that is not UTF-8, since records and Snakemake's own state hold names of files as text."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"The name of the corpus file {str(path)!a} is not UTF-8: rename the file.") from None


def _bounded(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Pass the pieces of a file on, and refuse a file that becomes larger than any text does."""
    unpacked, most = 0, max(MOST_UNPACKED, MOST_RATIO * path.stat().st_size)
    for chunk in chunks:
        unpacked += len(chunk)
        if unpacked > most:
            raise UserError(
                f"The corpus file {path} becomes more than {MOST_RATIO} times larger when it is unpacked, as no text "
                "does: name another file, or unpack it yourself if it is one."
            )
        yield chunk


def _plain_pieces(file: BinaryIO) -> Iterator[bytes]:
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
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield from _pieces(unpacked)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedFileError(str(error)) from None


def _xz_pieces(file: BinaryIO) -> Iterator[bytes]:
    import lzma

    try:
        with lzma.LZMAFile(file) as unpacked:
            yield from _pieces(unpacked)
    except (EOFError, lzma.LZMAError) as error:
        raise DamagedFileError(str(error)) from None


def _zstd_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Decompress frame by frame: the library's own stream of frames ends silently where the last one is cut short."""
    import zstandard

    try:
        frame = zstandard.ZstdDecompressor().decompressobj()
        for chunk in iter(lambda: file.read(ZSTD_CHUNK), b""):
            packed = chunk
            while packed:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                unpacked = frame.decompress(packed)
                yield from (unpacked[start : start + CHUNK] for start in range(0, len(unpacked), CHUNK))
                packed = frame.unused_data
    except zstandard.ZstdError as error:
        raise DamagedFileError(str(error)) from None
    if not frame.eof:
        raise DamagedFileError("its last frame does not end")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


DECOMPRESSORS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    ".gz": _gzip_pieces,
    ".xz": _xz_pieces,
    ".zst": _zstd_pieces,
}
"""Functions that decompress a file, by the end of its name."""
