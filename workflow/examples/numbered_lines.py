"""Example of a source of text that is no part of the package: one file with lines such as `1 ||| Habari ||| Hello`.

Name this file in `modules` of the configuration, and the text in an entry of `corpora`:

    modules: [workflow/examples/numbered_lines.py]
    corpora:
      own:
        numbered_lines: {file: text.txt, languages: [sw, en]}

The methods that a source can have beside these are those of `mtpeft.data.sources.base.Source`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from mtpeft.core.errors import UserError
from mtpeft.core.section import Section
from mtpeft.core.value_types import Language
from mtpeft.data.readers.base import Line
from mtpeft.data.sources.base import Languages, Message, Params, Source

SEPARATOR = " ||| "


class NumberedLines(Section):
    """A file of numbered sentence pairs."""

    file: str = Field(description="Path of the file.")
    languages: list[Language] = Field(min_length=2, max_length=2, description="Its languages, in the order of a line.")


class NumberedKeys(Section):
    """Keys that an entry of `corpora` has for this source."""

    numbered_lines: NumberedLines | None = Field(default=None, description="A file of numbered sentence pairs.")


class NumberedSource(Source):
    """Numbered sentence pairs."""

    def keys(self) -> type[Section]:
        """Give the type with the key `numbered_lines`."""
        return NumberedKeys

    def mistakes(self, key: str, corpus: Any) -> Iterator[str]:
        """Find a file that is not there."""
        text = corpus.numbered_lines
        if text and not Path(text.file).is_file():
            yield f"'{key}.numbered_lines.file' is '{text.file}', but there is no such file; write its path."

    def languages(self, corpus: Any) -> list[str]:
        """List the languages of the file."""
        return corpus.numbered_lines.languages

    def params(self, corpus: Any, languages: Languages) -> dict[str, Any]:
        """Describe the text for the step that cleans it, which is done anew when the description changes."""
        return {"numbered_lines": corpus.numbered_lines.model_dump()}

    def files(self, params: Params) -> list[Path]:
        """List the files, which the text is cleaned anew for when they change."""
        return [Path(params["numbered_lines"]["file"])]

    def read(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> Iterator[Message]:
        """Read the sentence pairs, source first."""
        text = params["numbered_lines"]
        for number, line in enumerate(Path(text["file"]).read_text(encoding="utf-8").splitlines(), 1):
            fields = line.split(SEPARATOR)
            if len(fields) != 3:
                raise UserError(f"{text['file']}, line {number}, is not `number{SEPARATOR}text{SEPARATOR}text`.")
            sides = dict(zip(text["languages"], fields[1:], strict=True))
            yield languages.read(Line(number, sides[languages.source], sides[languages.target]))


NUMBERED_LINES = NumberedSource(name="numbered_lines", same_lines=True)
