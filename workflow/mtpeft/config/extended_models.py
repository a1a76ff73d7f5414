"""The source `extend` of a base model: more entries in its vocabulary."""

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from mtpeft.config.messages import named_twice
from mtpeft.config.pairs import pair_languages
from mtpeft.core.section import Section, later
from mtpeft.core.value_types import Language, Letters
from mtpeft.core.wording import listed, unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class NewLanguage(Section):
    """A new language, and how the embedding of its token is initialised."""

    like: Language | None = Field(
        default=None,
        description="A language that the model knows, whose embedding it starts as. Empty: the mean of all.",
    )


class NewPieces(Section):
    """New entries of the vocabulary, learnt from text for fine-tuning."""

    language: Language = Field(description="Language of the text.")
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` with that language, whose text is read.")
    entries: PositiveInt = Field(description="Number of new entries.")


class Extension(Section):
    """Another model of `models` with more entries in its vocabulary, whose embeddings every method trains."""

    model: str = Field(description="A label of `models`.")
    languages: dict[Language, NewLanguage] = Field(default={}, description="Languages that the model has no token for.")
    pieces: NewPieces | None = Field(
        default=None, description="New entries, for a language that the vocabulary cuts into many pieces."
    )
    letters: Letters = later(
        "", description="Characters that the vocabulary lacks, such as `äöü`; each becomes an entry."
    )

    @property
    def entries(self) -> int:
        """Number of entries that the vocabulary gets."""
        return len(self.letters) + len(self.languages) + (self.pieces.entries if self.pieces else 0)


def mistakes(configuration: "Configuration", key: str, extension: Extension) -> Iterator[str]:
    """Find an extension of no model or of an extended one, pairs without the language, and an extension by nothing."""
    unknown_model = list(unknown(f"{key}.model", [extension.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
    elif configuration.models[extension.model].extend:
        yield f"'{key}.model' is '{extension.model}', which extends another model itself; extend that one."
    if not extension.entries:
        yield f"'{key}' adds nothing; write 'languages', 'pieces' or 'letters'."
    yield from named_twice(f"{key}.letters", list(extension.letters))
    if marks := [letter for letter in extension.letters if unicodedata.combining(letter)]:
        yield f"'{key}.letters' has the mark {listed(marks)} by itself; write letters, each with its marks."
    if any(letter.isspace() for letter in extension.letters):
        yield f"'{key}.letters' has a space; write the letters without anything between them."
    if pieces := extension.pieces:
        yield from unknown(f"{key}.pieces.pairs", pieces.pairs, configuration.pairs, "pairs")
        known = {pair: pair_languages(configuration, pair) for pair in pieces.pairs if pair in configuration.pairs}
        lacking = [pair for pair, languages in known.items() if pieces.language not in languages]
        if lacking:
            yield f"'{key}.pieces.pairs' names {listed(lacking)}, which do not have '{pieces.language}'; take them out."
