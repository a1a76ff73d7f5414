"""Read the user's own parallel text: one file per side, a table, JSON lines or a translation memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.corpus.json_lines import read_jsonl
from mtpeft.corpus.lines import Line, read_lines
from mtpeft.corpus.similarity import normalised
from mtpeft.corpus.tables import read_csv, read_tsv
from mtpeft.corpus.tmx import read_tmx
from mtpeft.errors import UserError

READERS: dict[str, Callable[[Path, Sequence[Any]], list[Line]]] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "tmx": read_tmx,
}
"""What reads a file that holds both sides, by its form."""


def read_parallel(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Lines of both sides, in the order of the files; a line with a blank side is kept for the filters to count.

    ``files`` is a file per language, ``{"sw": path, "en": path}``, or a file of both with what each column is called in
    it, ``{"tsv": path, "columns": {"sw": "swahili", "en": 1}}``. A translation memory calls languages by their codes.
    """
    columns = files.get("columns", {})
    for form, read in READERS.items():
        if form in files:
            return read(Path(files[form]), [columns.get(language, language) for language in (source, target)])
    return _read_sides(Path(files[source]), Path(files[target]))


def paths_of(files: Mapping[str, Any]) -> list[Path]:
    """The files that a description names, sorted."""
    both = [Path(files[form]) for form in READERS if form in files]
    return both or sorted(Path(path) for path in files.values())


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
    sources, targets = read_lines(source), read_lines(target)
    if len(sources) != len(targets):
        raise UserError(
            f"{source} has {len(sources)} lines but {target} has {len(targets)}: give two files in which the same "
            "lines translate each other."
        )
    return [Line(number, *sides) for number, sides in enumerate(zip(sources, targets, strict=True), start=1)]
