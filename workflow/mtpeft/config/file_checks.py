"""What can be wrong with the user's own files of a corpus, before any of them is read."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mtpeft.config.corpora import Corpus, TextFiles
from mtpeft.core.wording import listed, together

COLUMNS = {
    "tsv": "{sw: 0, en: 1}",
    "csv": "{sw: 0, en: 1}",
    "jsonl": "{sw: translation.sw, en: translation.en}",
}
"""Columns of two languages, as an example for each form that has columns."""


def file_mistakes(key: str, files: TextFiles) -> Iterator[str]:
    """One file with both sides, with its columns, or one file per language; and all of them there."""
    both, sides = files.both_sides, files.sides
    if len(both) > 1:
        yield f"'{key}' names files of several forms, {listed(both)}; take out all but one."
    elif both and sides:
        yield (
            f"'{key}' must have either {listed(both)} or one file per language, and not both; take out {listed(sides)}."
        )
    elif not both and len(sides) < 2:
        yield (
            f"'{key}' must name the file of two languages, such as {{sw: text.sw, en: text.en}}, or a file of both: "
            "a table, such as {tsv: text.tsv, columns: {sw: 0, en: 1}}, likewise csv or jsonl, or {tmx: text.tmx}."
        )
    for path in dict.fromkeys(map(os.path.realpath, sides.values())):
        languages = [language for language, own in sides.items() if os.path.realpath(own) == path]
        if len(languages) > 1:
            yield f"'{key}' has the same file for {together(languages)}, {sides[languages[0]]}; write the file of each."
    for form in both:
        yield from _column_mistakes(key, form, files)
    for name, path in (both or sides).items():
        if not Path(path).is_file():
            yield f"'{key}.{name}' is '{path}', but there is no such file; write its path from the working directory."


def _column_mistakes(key: str, form: str, files: TextFiles) -> Iterator[str]:
    if form not in COLUMNS:
        if files.columns:
            yield f"'{key}.columns' is not read for '{form}', which calls languages by their codes; take it out."
    elif len(files.columns) < 2:
        yield f"'{key}.columns' must name the column of two languages, such as {COLUMNS[form]}."
    else:
        yield from _alike(f"{key}.columns", files.columns)
        for language, column in files.columns.items():
            place = f"'{key}.columns.{language}' is {column}"
            if isinstance(column, int) and form == "jsonl":
                yield f"{place}, but JSON has no numbered columns; write a key."
            elif isinstance(column, int) and column < 0:
                yield f"{place}; write the number of a column, the first is 0, or its name."


def _alike(key: str, columns: Mapping[str, str | int]) -> Iterator[str]:
    """Columns that two languages share."""
    for column in dict.fromkeys(columns.values()):
        languages = [language for language, own in columns.items() if own == column]
        if len(languages) > 1:
            yield f"'{key}' has column {column} for {together(languages)} alike; write the column of each."


def lacking_languages(pair: str, *, corpus: Corpus, key: str, sides: Sequence[str]) -> Iterator[str]:
    """Languages of a pair that the corpus's own dev or test files don't have."""
    for part in ("dev_files", "test_files"):
        files = getattr(corpus, part)
        known = files.languages if files else None
        for side, language in zip(("source", "target"), sides, strict=True):
            if known and language not in known:
                yield (
                    f"'pairs.{pair}.{side}' is '{language}', but '{key}.{part}' has the languages {listed(known)}; "
                    "add the language there."
                )
