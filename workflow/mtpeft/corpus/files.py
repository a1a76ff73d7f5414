"""Read the user's own parallel files: one file per side, or the columns of a table."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mtpeft.corpus.similarity import normalised
from mtpeft.errors import UserError


class Line(NamedTuple):
    """A line of parallel text and its number in the file, counted from 1."""

    number: int
    source: str
    target: str


def read_parallel(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Lines of both sides, in the order of the files; a line with a blank side is kept for the filters to count.

    ``files`` is a file per language, ``{"sw": path, "en": path}``, or a table with a header or column numbers from 0,
    ``{"tsv": path, "columns": {"sw": "swahili", "en": 1}}``.
    """
    if "tsv" in files:
        return _read_table(Path(files["tsv"]), [files["columns"][source], files["columns"][target]])
    return _read_sides(Path(files[source]), Path(files[target]))


def paths_of(files: Mapping[str, Any]) -> list[Path]:
    """The files that a description names, sorted."""
    if "tsv" in files:
        return [Path(files["tsv"])]
    return sorted(Path(path) for path in files.values())


def check_disjoint(part: str, *, given: list[Line], train: list[Line], files: tuple[str, str]) -> None:
    """Refuse training text that holds lines of the given dev or test text, both sides equal after normalisation.

    A short answer that is equal on one side alone is no mistake of the user: decontamination removes it from training.
    """
    places = {(normalised(line.source), normalised(line.target)): line.number for line in reversed(train)}
    found = [
        (line.number, places[key])
        for line in given
        if (key := (normalised(line.source), normalised(line.target))) in places
    ]
    if found:
        (given_line, train_line), (given_file, train_file) = found[0], files
        raise UserError(
            f"{len(found)} of the {len(given)} {part} lines also stand in the training files, the first as line "
            f"{given_line} of {given_file} and line {train_line} of {train_file}: take them out of the training files."
        )


def _read_sides(source: Path, target: Path) -> list[Line]:
    sources, targets = _read_lines(source), _read_lines(target)
    if len(sources) != len(targets):
        raise UserError(
            f"{source} has {len(sources)} lines but {target} has {len(targets)}: give two files in which the same "
            "lines translate each other."
        )
    return [Line(number, *sides) for number, sides in enumerate(zip(sources, targets, strict=True), start=1)]


def _read_table(path: Path, columns: list[str | int]) -> list[Line]:
    rows = [line.split("\t") for line in _read_lines(path)]
    has_header = any(isinstance(column, str) for column in columns)
    indices = [_column_index(column, rows[0], path) for column in columns]
    lines = []
    for number, row in enumerate(rows[has_header:], start=1 + has_header):
        if len(row) <= max(indices):
            raise UserError(
                f"{path}, line {number}, has {len(row)} columns where column {max(indices)} (counted from 0) is read: "
                "separate the columns of each line by tabs."
            )
        lines.append(Line(number, row[indices[0]].strip(), row[indices[1]].strip()))
    if not lines:
        raise UserError(f"{path} has a header and no line of text: name a file with sentences.")
    return lines


def _column_index(column: str | int, header: list[str], path: Path) -> int:
    names = [name.strip() for name in header]
    if isinstance(column, str):
        if column in names:
            return names.index(column)
        nearest = difflib.get_close_matches(column, names, n=1, cutoff=0.0)[0]
        raise UserError(
            f"{path} has no column '{column}': it has {', '.join(names)}; the nearest is '{nearest}', so write one of "
            "these in columns."
        )
    if not 0 <= column < len(header):
        raise UserError(f"{path} has no column {column}: write a number from 0 to {len(header) - 1} in columns.")
    return column


def _read_lines(path: Path) -> list[str]:
    """Lines without byte order mark and line feed, as wc and editors count them; a carriage return is white space."""
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except FileNotFoundError:
        raise UserError(f"The corpus file {path} does not exist: write a path that does, from {Path.cwd()}.") from None
    except OSError as error:
        raise UserError(f"The corpus file {path} cannot be read ({error.strerror}): name a text file.") from None
    lines = content.removesuffix(b"\n").split(b"\n")
    if not content.strip():
        raise UserError(f"The corpus file {path} is empty: name a file with one sentence per line.")
    return [_decode(line, path, number) for number, line in enumerate(lines, start=1)]


def _decode(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}, is not UTF-8 (byte 0x{line[error.start]:02x}): convert the file, as iconv does."
        ) from None
