"""Entries that were added to a model's vocabulary beside its tokenizer, which stays as it was published.

A new entry is a sequence of pieces that the tokenizer has, so whatever it can write is written as before, in fewer
tokens. A new language has a token that the tokenizer knows nothing of; another language stands in for it there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtpeft.models.families import read_json

EXTENSION = "extension.json"
"""File in a model's folder that holds them."""


@dataclass(frozen=True)
class NewLanguage:
    """The token of a language that the model never saw, and the family's name for the one that stands in for it."""

    id: int
    stand_in: str


@dataclass(frozen=True)
class Extension:
    """New entries of a vocabulary.

    Attributes:
        languages: by BCP 47 tag.
        pieces: each new entry with the pieces that it replaces.
    """

    languages: Mapping[str, NewLanguage]
    pieces: Mapping[int, tuple[int, ...]]

    @property
    def language_ids(self) -> list[int]:
        """Tokens of the new languages."""
        return [language.id for language in self.languages.values()]

    @cached_property
    def _by_first(self) -> Mapping[int, list[tuple[tuple[int, ...], int]]]:
        """Replaced pieces with their entry, by the first of them, the longest sequence first."""
        found: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        for entry, replaced in sorted(self.pieces.items(), key=lambda item: -len(item[1])):
            found.setdefault(replaced[0], []).append((replaced, entry))
        return found

    def shortened(self, tokens: Sequence[int]) -> list[int]:
        """Tokens with new entries in the place of known pieces, the longest that fits at each place from the left."""
        made: list[int] = []
        place = 0
        while place < len(tokens):
            candidates = self._by_first.get(tokens[place], ())
            fitting = (own for own in candidates if tuple(tokens[place : place + len(own[0])]) == own[0])
            replaced, entry = next(fitting, ((tokens[place],), tokens[place]))
            made.append(entry)
            place += len(replaced)
        return made

    def spelt_out(self, tokens: Iterable[int]) -> list[int]:
        """Tokens with the known pieces in the place of new entries."""
        return [piece for token in tokens for piece in self.pieces.get(int(token), (int(token),))]


def read_extension(folder: Path) -> Extension:
    """What was added to the model in a folder; nothing for most."""
    written = read_json(folder / EXTENSION)
    return Extension(
        languages={tag: NewLanguage(**entry) for tag, entry in written.get("languages", {}).items()},
        pieces={int(entry): tuple(pieces) for entry, pieces in written.get("pieces", {}).items()},
    )
