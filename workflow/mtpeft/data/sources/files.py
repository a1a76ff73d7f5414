"""The user's own parallel text: one file per side, or one file of both sides in any format that has a reader."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, create_model

from mtpeft.core.errors import UserError
from mtpeft.core.languages import english_name
from mtpeft.core.section import Section, later
from mtpeft.core.value_types import Language
from mtpeft.core.wording import listed, together
from mtpeft.data.language_identification import check_sides
from mtpeft.data.readers import READERS
from mtpeft.data.readers.base import Line, Reader
from mtpeft.data.readers.lines import read_aligned_lines
from mtpeft.data.sources.base import Languages, Message, Params, Source

PARTS = ("files", "dev_files", "test_files")
"""Keys of a corpus for the files of its parts."""
TITLES = ({"source", "src"}, {"target", "tgt", "trg"})
"""Names of the two sides in the header of a table, beside the codes and names of their languages."""


class TextFiles(Section):
    """Files of one part of a corpus: one per language, line-aligned, or one that holds all languages.

    Each may be compressed, with a name that ends with .gz, .xz or .zst.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Language, str]

    columns: dict[Language, str | int] = Field(
        default={}, description="Column of each language: header or number, or the key in JSON, as translation.sw."
    )

    @property
    def both_sides(self) -> dict[str, str]:
        """The file that holds all languages, by its format; more than one is a mistake."""
        return {name: path for name in READERS if (path := getattr(self, name, None))}

    @property
    def sides(self) -> dict[str, str]:
        """The files of one language each."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def languages(self) -> list[str] | None:
        """The languages that are named, or None where the file itself says which it has."""
        if any(not READERS[name].columns for name in self.both_sides):
            return None
        return list(self.columns or self.sides)

    @property
    def params(self) -> dict[str, Any]:
        """The files as the params of a step name them."""
        columns = {"columns": self.columns} if self.both_sides and self.columns else {}
        return {**(self.both_sides or self.sides), **columns}


def text_files_type() -> type[TextFiles]:
    """Make the type of files with a key for each format that is in the registry now."""
    return create_model(
        "TextFiles",
        __base__=TextFiles,
        __doc__=TextFiles.__doc__,
        **{name: (str | None, later(None, description=each.description)) for name, each in READERS.entries.items()},
    )


class FileSource(Source):
    """The user's own files, whose training text may come with a dev and a test set."""

    def keys(self) -> type[Section]:
        """Make the type with the keys `files`, `dev_files` and `test_files`."""
        files = text_files_type() | None
        return create_model(
            "FileKeys",
            __base__=Section,
            files=(files, Field(default=None, description="Own text; all of it, or the training part.")),
            dev_files=(files, Field(default=None, description="Own dev set; otherwise we split.")),
            test_files=(files, Field(default=None, description="Own test set; otherwise we split.")),
        )

    def test_keys(self) -> type[Section]:
        """Make the type with a key for each format."""
        return text_files_type()

    def mistakes(self, key: str, corpus: Any) -> Iterator[str]:
        """Find parts that are the same text, and descriptions that name no readable files."""
        parts = {part: files for part in PARTS if (files := getattr(corpus, part))}
        for (part, files), (other, others) in combinations(parts.items(), 2):
            if files == others:
                yield (
                    f"'{key}.{part}' and '{key}.{other}' name the same text; name another one, or take one of them out."
                )
        for part, files in parts.items():
            yield from file_mistakes(f"{key}.{part}", files)

    def pair_mistakes(self, key: str, corpus: Any, pair: str, languages: Languages) -> Iterator[str]:
        """Find languages of a pair that the corpus's own dev or test files don't have."""
        for part in self.given_parts(corpus):
            known = getattr(corpus, f"{part}_files").languages
            for side, language in zip(("source", "target"), languages.sides, strict=True):
                if known and language not in known:
                    yield (
                        f"'pairs.{pair}.{side}' is '{language}', but '{key}.{part}_files' has the languages "
                        f"{listed(known)}; add the language there."
                    )

    def languages(self, corpus: Any) -> list[str] | None:
        """List the languages of the training text."""
        return corpus.files.languages

    def given_parts(self, corpus: Any) -> list[str]:
        """List which of dev and test have files of their own."""
        return [part for part in ("dev", "test") if getattr(corpus, f"{part}_files")]

    def params(self, corpus: Any, languages: Languages) -> dict[str, Any]:
        """Name the files of all parts."""
        given = {part: getattr(corpus, f"{part}_files").params for part in self.given_parts(corpus)}
        return {"files": corpus.files.params, **given}

    def files(self, params: Params) -> list[Path]:
        """List the files of all parts."""
        described = [params[part] for part in ("files", "dev", "test") if params.get(part)]
        return [Path(path) for files in described for key, path in files.items() if key != "columns"]

    def read(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> Iterator[Message]:
        """Read the lines of all parts.

        Training text may hold lines of dev or test: decontamination takes them out.
        """
        source, target = languages.sides
        if languages.written_in not in (source, target):
            raise UserError(
                f"written_in is '{languages.written_in}', but the files have {source} and {target}: write one of these."
            )
        train = read_parallel(params["files"], source=source, target=target)
        given = {part: params[part] for part in ("dev", "test") if params.get(part)}
        lines = {"train" if given else "": train}
        for part, files in given.items():
            lines[part] = read_given(files, source=source, target=target)
        return (languages.read(line, part) for part, own in lines.items() for line in own)

    def describe(self, corpus: Any, languages: set[str]) -> dict[str, Any]:
        """Describe the files by their names, since nothing big may be read where a configuration is checked."""
        parts = {part: files for part in PARTS if (files := getattr(corpus, part))}
        return {"files": {part: files.model_dump() for part, files in parts.items()}}

    def has_test(self, text: Any) -> bool:
        """Say whether files are named."""
        return bool(text.both_sides or text.sides)

    def test_mistakes(self, key: str, corpus: Any, name: str) -> Iterator[str]:
        """Find a description that names no readable files."""
        yield from file_mistakes(f"{key}.more_tests.{name}", corpus.more_tests[name])

    def test_languages(self, text: Any) -> list[str] | None:
        """List the languages of the files."""
        return text.languages

    def test_params(self, text: Any, languages: Languages) -> dict[str, Any]:
        """Name the files."""
        return {"files": text.params}

    def read_test(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> list[Line]:
        """Read the lines, each of which needs both sides."""
        return read_given(params["files"], source=languages.source, target=languages.target)


FILES = FileSource(name="files", same_lines=True)


def file_mistakes(key: str, files: TextFiles) -> Iterator[str]:
    """Find mistakes in a description: it needs one file with both sides and its columns, or one file per language."""
    both, sides = files.both_sides, files.sides
    if len(both) > 1:
        yield f"'{key}' names files of several forms, {listed(both)}; take out all but one."
    elif both and sides:
        yield (
            f"'{key}' must have either {listed(both)} or one file per language, and not both; take out {listed(sides)}."
        )
    elif not both and len(sides) < 2:
        yield (
            f"'{key}' must name the file of two languages, such as {{sw: text.sw, en: text.en}}, or a file of both, "
            f"such as {{tsv: text.tsv, columns: {{sw: 0, en: 1}}}}; its format is one of {listed(READERS)}."
        )
    for path in dict.fromkeys(map(os.path.realpath, sides.values())):
        languages = [language for language, own in sides.items() if os.path.realpath(own) == path]
        if len(languages) > 1:
            yield f"'{key}' has the same file for {together(languages)}, {sides[languages[0]]}; write the file of each."
    for name in both:
        yield from _column_mistakes(key, name, files)
    for name, path in (both or sides).items():
        if not Path(path).is_file():
            yield f"'{key}.{name}' is '{path}', but there is no such file; write its path from the working directory."


def read_parallel(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Read the lines of both sides, in the order of the files; a blank side is kept for the filters to count.

    ``files`` is a file per language, ``{"sw": path, "en": path}``, or a file of both with what each column is called in
    it, ``{"tsv": path, "columns": {"sw": "swahili", "en": 1}}``. A translation memory calls languages by their codes.

    Raises:
        UserError: a file can't be read, or the sides are not in their languages but in each other's.
    """
    columns = files.get("columns", {})
    reader = _reader_of(files)
    if reader:
        lines = reader.read(
            Path(files[reader.name]), [columns.get(language, language) for language in (source, target)]
        )
    else:
        lines = read_aligned_lines(Path(files[source]), Path(files[target]))
    named = " and ".join(map(str, paths_of(files)))
    if columns and all(isinstance(columns.get(language), int) for language in (source, target)):
        _refuse_header(lines[0], (source, target), named)
    check_sides([(line.source, line.target) for line in lines], (source, target), named)
    return lines


def read_given(files: Mapping[str, Any], *, source: str, target: str) -> list[Line]:
    """Read the lines of a dev or test set, every one of which is kept, so both sides need text.

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
    """List the files that a description names, sorted."""
    reader = _reader_of(files)
    return [Path(files[reader.name])] if reader else sorted(Path(path) for path in files.values())


def _reader_of(files: Mapping[str, Any]) -> Reader | None:
    """Find the reader of a file of both sides; None where each language has a file."""
    return next((reader for name, reader in READERS.entries.items() if name in files), None)


def _column_mistakes(key: str, name: str, files: TextFiles) -> Iterator[str]:
    reader = READERS[name]
    if not reader.columns:
        if files.columns:
            yield f"'{key}.columns' is not read for '{name}', which calls languages by their codes; take it out."
    elif len(files.columns) < 2:
        yield f"'{key}.columns' must name the column of two languages, such as {reader.columns}."
    else:
        yield from _shared_columns(f"{key}.columns", files.columns)
        for language, column in files.columns.items():
            place = f"'{key}.columns.{language}' is {column}"
            if isinstance(column, int) and not reader.numbered:
                yield f"{place}, but '{name}' has no numbered columns; write a key."
            elif isinstance(column, int) and column < 0:
                yield f"{place}; write the number of a column, the first is 0, or its name."


def _shared_columns(key: str, columns: Mapping[str, str | int]) -> Iterator[str]:
    """Find columns that two languages share."""
    for column in dict.fromkeys(columns.values()):
        languages = [language for language, own in columns.items() if own == column]
        if len(languages) > 1:
            yield f"'{key}' has column {column} for {together(languages)} alike; write the column of each."


def _refuse_header(first: Line, languages: Sequence[str], named: str) -> None:
    """Refuse a first row that calls the columns by their languages, where columns are given by number."""
    titles = [
        {language.casefold(), english_name(language).casefold(), *others}
        for language, others in zip(languages, TITLES, strict=True)
    ]
    if all(text.casefold() in known for text, known in zip((first.source, first.target), titles, strict=True)):
        raise UserError(
            f"{named} calls its columns '{first.source}' and '{first.target}' in its first row: write these names "
            "in the place of the numbers in columns, so that they are no text."
        )
