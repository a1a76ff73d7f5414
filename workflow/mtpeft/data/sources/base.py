"""The type of a source of parallel text: its keys in the configuration, its downloads, and how it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mtpeft.core.section import Section
from mtpeft.data.cleaning_options import PROSE, TextKind
from mtpeft.data.readers.base import Line

Params = Mapping[str, Any]
"""Part of the params of a step, as JSON has it."""


class Languages(NamedTuple):
    """The languages of a pair as BCP 47 tags, and the one that its text was written in, empty where nobody says."""

    source: str
    target: str
    written_in: str

    @property
    def sides(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target

    def read(self, message: Line, part: str = "") -> "Message":
        """Turn a line of both sides into a message of a part of the text."""
        written = message.source if self.written_in == self.source else message.target
        return Message(part, written, message.source, message.target)


class Message(NamedTuple):
    """A message or a sentence of it: its text in the language that it was written in, and the two sides of the pair.

    The part is `dev`, `test` or `train` where a corpus gives dev or test, and empty elsewhere.
    """

    part: str
    written: str
    source: str
    target: str


@dataclass(frozen=True)
class Download:
    """A file that a step of its own downloads, before the text of a pair is cleaned.

    The name of the file is the label with a digest of the params, and its record lies beside it.

    Attributes:
        source: name of the source of text.
        folder: where the file lies.
        label: what people call the file.
        ending: how the name of the file ends; that of its record ends with `.json`.
        params: what the step needs to know, but for its version.
        hashes: SHA-256 that the configuration states beside the params, which are checked and change no digest; more
            than one is a mistake.
    """

    source: str
    folder: str
    label: str
    ending: str
    params: Params
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A source of the text of corpora; a class of its own overrides the methods here that differ for it.

    Methods that take `corpus` get an entry of `corpora`, and those that take `text` an entry of its `more_tests`; both
    have the keys of all sources. Their `key` is where the entry stands in the configuration, for messages.

    Attributes:
        name: key of an entry of `corpora` that names text of this source, and of the params that describe it.
        kind: kind of the text, by which it is cleaned.
        same_lines: whether all pairs of a corpus have the same lines, so that its first pair is enough to split it.
        step: name of the step that downloads its files; empty where there is none.
        wildcard: what the rule of this step calls the name of a file.
        module: file that the source comes from; empty for those of the package.
    """

    name: str
    kind: TextKind = PROSE
    same_lines: bool = False
    step: str = ""
    wildcard: str = ""
    module: str = ""

    def keys(self) -> type[Section]:
        """Give the type with the keys that an entry of `corpora` has for this source, one of them with its name."""
        raise NotImplementedError

    def test_keys(self) -> type[Section] | None:
        """Give the type with the keys that an entry of `more_tests` has for it; None where it gives no test sets."""
        return None

    def mistakes(self, key: str, corpus: Any) -> Iterator[str]:
        """Find mistakes in the keys of this source in an entry, which can have its text from another one."""
        yield from ()

    def pair_mistakes(self, key: str, corpus: Any, pair: str, languages: Languages) -> Iterator[str]:
        """Find mistakes of a pair whose text is of this source."""
        yield from ()

    def languages(self, corpus: Any) -> list[str] | None:
        """List the languages that an entry names; None where only the text shows them."""
        return None

    def given_parts(self, corpus: Any) -> list[str]:
        """List which of dev and test an entry gives beside the training text."""
        return []

    def params(self, corpus: Any, languages: Languages) -> dict[str, Any]:
        """Describe the text of a pair for the step that cleans it, under the source's name."""
        raise NotImplementedError

    def downloads(self, label: str, corpus: Any, params: Params) -> list[Download]:
        """List the files to download for the text that params describe, in the order in which it is read."""
        return []

    def files(self, params: Params) -> list[Path]:
        """List the user's own files that the text is read from."""
        return []

    def read(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> Iterator[Message]:
        """Read the text of a pair.

        Raises:
            UserError: the text can't be read.
        """
        raise NotImplementedError

    def describe(self, corpus: Any, languages: set[str]) -> dict[str, Any]:
        """Describe the keys of this source in an entry by all that decides which test sentences the corpus has.

        The record of a shipped model keeps it, and nothing for an entry without these keys.

        Args:
            corpus: the entry.
            languages: those by which the corpus is split.
        """
        return {key: value for key, value in corpus.model_dump(include={*self.keys().model_fields}).items() if value}

    def has_test(self, text: Any) -> bool:
        """Say whether the text of a named test set is of this source."""
        return False

    def test_mistakes(self, key: str, corpus: Any, name: str) -> Iterator[str]:
        """Find mistakes in the test set of a name, which is of this source."""
        yield from ()

    def test_languages(self, text: Any) -> list[str] | None:
        """List the languages that a named test set has; None where only the text shows them."""
        return None

    def test_params(self, text: Any, languages: Languages) -> dict[str, Any]:
        """Describe a named test set for the step that prepares it, under the source's name."""
        raise NotImplementedError

    def read_test(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> list[Line]:
        """Read a named test set.

        Raises:
            UserError: the text can't be read.
        """
        raise NotImplementedError
