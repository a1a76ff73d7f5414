"""Convert a model without adapters to the format of CTranslate2, and say what its search is given besides the source.

An engine of this package and the export of a cell have this in common. The engine names tokens by their numbers, so
that it needs no tokenizer, and entries that were added to a vocabulary have names, too. An export has the names of its
tokenizer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.models.families.base import Family, language_alone
from mtpeft.models.special_tokens import SpecialTokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REQUIREMENTS = "envs/ctranslate2.txt"
COMPUTED = {None: "float32", 8: "int8_float32"}
"""Types of weights and of matrix products by the bits of a weight; all else is computed in 32-bit floats."""
ALWAYS_SO = ("normalize_before", "normalize_embedding")
"""Keys that published configurations of mBART have, and that models saved by transformers lack."""


def require_ctranslate2(asked: str, *, instead: str) -> None:
    """Require that CTranslate2 is installed.

    Args:
        asked: what asks for it, as a message begins.
        instead: what else to do.

    Raises:
        UserError: it is not.
    """
    try:
        import ctranslate2  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{asked}, but CTranslate2 is not installed; run `pip install -r {REQUIREMENTS}`, or {instead}."
        ) from error


@dataclass(frozen=True)
class NumberedTokens:
    """What the converter asks of a tokenizer: each token has its number as its name.

    Padding has the name by which the converter knows it, since it takes it out of the vocabulary of Marian.
    """

    entries: int
    pad: int
    end: int
    unknown: int = field(kw_only=True)
    special_tokens_map: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of all tokens, in their order."""
        return tuple("<pad>" if token == self.pad else str(token) for token in range(self.entries))

    def get_vocab(self) -> dict[str, int]:
        """Return the numbers of all tokens by name."""
        return {name: token for token, name in enumerate(self.names)}

    def convert_ids_to_tokens(self, token: int) -> str:
        """Return the name of a token."""
        return self.names[token]

    @property
    def pad_token(self) -> str:
        """The name of padding."""
        return self.names[self.pad]

    @property
    def eos_token(self) -> str:
        """The name of the token that ends a sentence."""
        return self.names[self.end]

    @property
    def bos_token(self) -> str:
        """The name of a token for the beginning of a sentence, which the sources here have themselves."""
        return self.eos_token

    @property
    def unk_token(self) -> str:
        """The name of the token that stands for an unknown word."""
        return self.names[self.unknown]

    @property
    def unk_token_id(self) -> int:
        """The number of that token."""
        return self.unknown


def convert_to_ctranslate2(
    model: "PreTrainedModel",
    tokenizer: "NumberedTokens | PreTrainedTokenizerBase",
    folder: Path,
    *,
    family: Family,
    instead: str,
    bits: int | None = None,
) -> None:
    """Write a model into a new folder in the format of CTranslate2.

    Args:
        model: of transformers, without adapters.
        tokenizer: gives tokens their names.
        folder: is not there yet.
        family: of the model.
        instead: what else to do, for a message.
        bits: of a weight; None for 32-bit floats.

    Raises:
        UserError: CTranslate2 can't convert such a model.
    """
    from ctranslate2.converters import TransformersConverter

    class OpenModel(TransformersConverter):
        def load_model(self, *given: Any, **named: Any) -> "PreTrainedModel":
            return model

        def load_tokenizer(self, *given: Any, **named: Any) -> Any:
            return tokenizer

    for key in ALWAYS_SO:
        if not hasattr(model.config, key):
            setattr(model.config, key, True)
    model.config.tokenizer_class = family.tokenizers[0]
    with TemporaryDirectory() as described:
        model.config.save_pretrained(described)
        try:
            OpenModel(described).convert(str(folder), quantization=COMPUTED[bits])
        except (AttributeError, ValueError) as error:
            why = str(error).partition(" (supported")[0]
            raise UserError(
                f"CTranslate2 can't convert this model of the family {family.title} ({why}); {instead}."
            ) from error


def vocabulary_in(folder: Path) -> list[str]:
    """Return the names of the tokens of a converted model, in their order."""
    return json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SearchArguments:
    """Arguments of CTranslate2 besides the source.

    Attributes:
        prefix: tokens that the target begins with.
        repeated: how many of them its hypotheses begin with: none where the prefix is what the decoder starts from.
        suppressed: sequences of tokens that are never made.
    """

    prefix: tuple[str, ...]
    repeated: int
    suppressed: tuple[tuple[str, ...], ...]


def search_arguments(
    special_tokens: SpecialTokens, vocabulary: Sequence[str], *, family: Family, instead: str
) -> SearchArguments:
    """Return the arguments for a model that was converted with this vocabulary.

    CTranslate2 begins with the start token by itself, except for a model whose start token is the language.

    Raises:
        UserError: the model forbids tokens as the first word alone, which CTranslate2 has no argument for.
    """
    begin, forbidden = special_tokens.begin, special_tokens.forbidden
    if forbidden.first:
        raise UserError(
            "The model's files forbid some tokens as a first word ('begin_suppress_tokens'), which CTranslate2 can't; "
            f"{instead}."
        )
    starts_from_language = family.begin is language_alone
    language = begin if starts_from_language else begin[1:]
    words = [*((token,) for token in forbidden.tokens), *forbidden.sequences]
    return SearchArguments(
        prefix=tuple(vocabulary[token] for token in language),
        repeated=0 if starts_from_language else len(language),
        suppressed=tuple(tuple(vocabulary[token] for token in own) for own in words if max(own) < len(vocabulary)),
    )
