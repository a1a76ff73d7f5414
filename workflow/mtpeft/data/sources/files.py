"""Read the user's own parallel text: one file per side, a table, JSON lines or a translation memory."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.core.languages import english_name
from mtpeft.data.readers.json_lines import read_jsonl
from mtpeft.data.readers.lines import Line, read_content, read_lines, split_lines
from mtpeft.data.readers.tables import read_csv, read_tsv
from mtpeft.data.readers.tmx import read_tmx
from mtpeft.data.sides import check_sides

READERS: dict[str, Callable[[Path, Sequence[Any]], list[Line]]] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "tmx": read_tmx,
}
"""What reads a file that holds both sides, by its form."""
TITLES = ({"source", "src"}, {"target", "tgt", "trg"})
"""What a table may call its sides, beside the codes and names of their languages."""
OTHER_LINE_END = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
LINE_ENDS = {"\r": "a carriage return", "\v": "a vertical tab", "\f": "a form feed"}
"""Characters inside of lines that end lines for some programs, and what they are called."""


def read_parallel(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Lines of both sides, in the order of the files; a line with a blank side is kept for the filters to count.

    ``files`` is a file per language, ``{"sw": path, "en": path}``, or a file of both with what each column is called in
    it, ``{"tsv": path, "columns": {"sw": "swahili", "en": 1}}``. A translation memory calls languages by their codes.

    Raises:
        UserError: a file can't be read, or the sides are not in their languages but in each other's.
    """
    columns = files.get("columns", {})
    form = next((form for form in READERS if form in files), None)
    if form:
        lines = READERS[form](Path(files[form]), [columns.get(language, language) for language in (source, target)])
    else:
        lines = _read_sides(Path(files[source]), Path(files[target]))
    named = " and ".join(map(str, paths_of(files)))
    if columns and all(isinstance(columns.get(language), int) for language in (source, target)):
        _refuse_header(lines[0], (source, target), named)
    check_sides([(line.source, line.target) for line in lines], (source, target), named)
    return lines


def _refuse_header(first: Line, languages: Sequence[str], named: str) -> None:
    """Columns are given by number, so the first row is text, unless it calls the columns by their languages."""
    titles = [
        {language.casefold(), english_name(language).casefold(), *others}
        for language, others in zip(languages, TITLES, strict=True)
    ]
    if all(text.casefold() in known for text, known in zip((first.source, first.target), titles, strict=True)):
        raise UserError(
            f"{named} calls its columns '{first.source}' and '{first.target}' in its first row: write these names "
            "in the place of the numbers in columns, so that they are no text."
        )


def read_given(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Lines of a dev or test set, every one of which is kept, so both sides need text.

    A table of more languages than two lacks some of the translations: there, a blank is left for the caller to count.

    Raises:
        UserError: as `read_parallel`, or a line has no text on one side.
    """
    lines = read_parallel(files, source=source, target=target)
    blank = next((line for line in lines if not (line.source.strip() and line.target.strip())), None)
    if blank and len(files.get("columns", ())) <= 2:
        named = " and ".join(map(str, paths_of(files)))
        raise UserError(
            f"{named}, line {blank.number}, has no text on one side, but every line of a dev or test set is scored: "
            "write the text, or take the line out of both sides."
        )
    return lines


def paths_of(files: Mapping[str, Any]) -> list[Path]:
    """The files that a description names, sorted."""
    both = [Path(files[form]) for form in READERS if form in files]
    return both or sorted(Path(path) for path in files.values())


def _read_sides(source: Path, target: Path) -> list[Line]:
    """The lines of two files, which translate each other; blank lines at the end of one alone are none.

    A carriage return ends a line where a file has no line feed, and where both files then have equally many lines and
    otherwise have not. Else it is white space, as in text that was crawled.
    """
    paths = (source, target)
    if source.resolve() == target.resolve():
        raise UserError(f"{source} is named for both sides: name the text and its translation.")
    sides = [read_lines(path) for path in paths]
    if len(sides[0]) != len(sides[1]):
        contents = [read_content(path).replace(b"\r\n", b"\n").replace(b"\r", b"\n") for path in paths]
        ends = [split_lines(content, path, b"\n") for content, path in zip(contents, paths, strict=True)]
        read = (sides, [_without_blank_end(side) for side in sides], ends, [_without_blank_end(side) for side in ends])
        found = next((lines for lines in read if len(lines[0]) == len(lines[1])), None)
        if found is None:
            raise UserError(_unequal(paths, sides))
        sides = found
    return [Line(number, *texts) for number, texts in enumerate(zip(*sides, strict=True), start=1)]


def _without_blank_end(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _unequal(paths: Sequence[Path], sides: Sequence[Sequence[str]]) -> str:
    (source, target), (sources, targets) = paths, map(len, sides)
    told = f"{source} has {sources} lines but {target} has {targets}"
    odd = [
        f"{path} has {name} in line {number}"
        for path, lines in zip(paths, sides, strict=True)
        for number, name in _line_ends_of_others(lines)
    ]
    if odd:
        return f"{told}; {' and '.join(odd)}, which ends a line for some programs: take it out, or make it a line feed."
    return f"{told}: give two files in which the same lines translate each other."


def _line_ends_of_others(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Number of the first line that has a character inside which some programs take for a line end, and its name."""
    for number, line in enumerate(lines, start=1):
        if found := OTHER_LINE_END.search(line.strip()):
            return [(number, LINE_ENDS.get(found[0], f"U+{ord(found[0]):04X}"))]
    return []
