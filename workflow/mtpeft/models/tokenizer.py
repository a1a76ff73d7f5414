"""A model's tokenizer, set to the two languages of a pair: from text to tokens as its family has it, and back.

What differs between families is said in `mtpeft.models.families`; here is what they have in common.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.core.languages import match, rivals
from mtpeft.models.families import family_in, names_class, read_json, read_shape
from mtpeft.models.families.base import Family, Names
from mtpeft.models.families.prompts import written_prompt
from mtpeft.models.special_tokens import Around, Forbidden, Frame, Side, forbidden_by, forbidden_in, tokens_around

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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


@dataclass(frozen=True)
class Codec:
    """A tokenizer with its family's names for the source and the target language.

    Attributes:
        tokenizer: of the model.
        family: of the model.
        source: name of the source language.
        target: name of the target language.
        names: all that the vocabulary has for languages.
        special: tokens that are no text; M2M-100's languages are none of its tokenizer's own special tokens.
        prompt: text before every source sentence.
        around: by side, the special tokens around a sentence.
        stand_ins: by side, the token of a language that stands in for a new one in the tokenizer, and the new one's.
        extension: entries that were added to the vocabulary.
        forbidden: what the files of the model forbid its hypotheses.
    """

    tokenizer: "PreTrainedTokenizerBase"
    family: Family
    source: str
    target: str
    names: frozenset[str]
    special: frozenset[int]
    prompt: str
    around: Mapping[Side, Around]
    stand_ins: Mapping[Side, Mapping[int, int]]
    extension: Extension
    forbidden: Forbidden


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in a model's folder, of the class of its family where none is named; nothing is fetched."""
    import transformers

    named = "AutoTokenizer" if names_class(folder) else family_in(folder).tokenizers[0]
    return getattr(transformers, named).from_pretrained(folder, local_files_only=True)


def open_codec(folder: Path, languages: Mapping[Side, str], *, vocabulary: str, prompt: str | None = None) -> Codec:
    """The tokenizer in a folder, set to a pair of languages given as BCP 47 tags.

    Args:
        folder: of the model.
        languages: by side.
        vocabulary: what sentences call it.
        prompt: text before every source sentence, with places for the languages; None for that of the family.

    Raises:
        UserError: the family is not supported, the vocabulary has no name for a language or has languages in tokens and
            not in a prompt, or the tokenizer does not put around a sentence what its family has there.
    """
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    extension = read_extension(folder)
    names = names_in(family, tokenizer)

    def named(language: str) -> str:
        if language in extension.languages:
            return extension.languages[language].stand_in
        name = language if names is None else match(language, names)
        if name is None and (candidates := rivals(language, names)):
            raise UserError(
                f"The vocabulary '{vocabulary}' has the language '{language}' in several scripts: "
                f"{', '.join(candidates)}; write the script of the text as well, as in 'sr-Latn'."
            )
        if name is None or (family.token and _is_unknown(tokenizer, family.token(name))):
            raise UserError(
                f"The vocabulary '{vocabulary}' has no token for the language '{language}'; use a pair that it knows, "
                "give the language a token with `extend`, or pre-train a model with that pair in "
                "`pretrain.vocabulary_pairs`."
            )
        return name

    if prompt is not None and names is not None:
        raise UserError(
            f"'models.{vocabulary}.prompt' is for models that are told the languages in words, but this vocabulary has "
            f"tokens for them, such as {next(iter(names))}; take the key out."
        )
    source = named(languages["source"]) if family.names_source else languages["source"]
    target = named(languages["target"])
    token = family.token or str
    own = tokenizer.convert_tokens_to_ids([token(name) for name in names or ()])
    codec = Codec(
        tokenizer=tokenizer,
        family=family,
        source=source,
        target=target,
        names=frozenset(names or ()),
        special=frozenset([*tokenizer.all_special_ids, *own, *extension.language_ids]),
        prompt=family.source_prefix(source, target) if prompt is None else written_prompt(prompt, source, target),
        around={},
        stand_ins=_stand_ins(tokenizer, family, extension, languages),
        extension=extension,
        forbidden=forbidden_by(folder),
    )
    if family.takes_languages:
        tokenizer.src_lang, tokenizer.tgt_lang = codec.source, codec.target
    written = codec.prompt.strip() if codec.prompt.strip() in codec.names else ""
    sides: tuple[tuple[Side, str, str], ...] = (("source", codec.source, written), ("target", codec.target, ""))
    around = {
        side: tokens_around(tokenizer, family, side=side, language=language, before=before, folder=folder)
        for side, language, before in sides
    }
    return replace(codec, around=around)


def names_in(family: Family, tokenizer: "PreTrainedTokenizerBase") -> Names | None:
    """A family's names for the languages that a tokenizer has, or None where any language will do."""
    return family.names({"language_codes": getattr(tokenizer, "language_codes", None)}, sorted(tokenizer.get_vocab()))


def _stand_ins(
    tokenizer: "PreTrainedTokenizerBase", family: Family, extension: Extension, languages: Mapping[Side, str]
) -> dict[Side, dict[int, int]]:
    """Tokens at the edges of each side that mean a new language; Marian has the target's before the source."""
    named: dict[Side, Side] = {"source": "source" if family.names_source else "target", "target": "target"}
    token = family.token or str
    found: dict[Side, dict[int, int]] = {}
    for side, means in named.items():
        new = extension.languages.get(languages[means])
        found[side] = {tokenizer.convert_tokens_to_ids(token(new.stand_in)): new.id} if new else {}
    return found


def _is_unknown(tokenizer: "PreTrainedTokenizerBase", token: str) -> bool:
    return tokenizer.convert_tokens_to_ids(token) in (None, tokenizer.unk_token_id)


def encode(codec: Codec, sentences: Sequence[str], side: Side, *, longest: int) -> list[list[int]]:
    """Tokens of sentences as the model's own tokenizer has them, special tokens included, cut to `longest`.

    Spaces at the ends are dropped, as sentencepiece does.
    """
    if not sentences:
        return []
    stripped = [sentence.strip() for sentence in sentences]
    # New entries make sentences shorter, so where there are any, what is too long is known last.
    options = {} if codec.extension.pieces else {"truncation": True, "max_length": longest}
    if side == "target":
        rows = codec.tokenizer(text_target=stripped, **options)["input_ids"]
    else:
        rows = codec.tokenizer([codec.prompt + sentence for sentence in stripped], **options)["input_ids"]
    return _framed(codec, rows, side, longest=longest)


def text_of(codec: Codec, hypotheses: Sequence[Sequence[int]]) -> list[str]:
    """Text of each sequence of tokens, without special ones."""
    known = (codec.extension.spelt_out(tokens) for tokens in hypotheses)
    words = ([token for token in tokens if token not in codec.special] for tokens in known)
    return [codec.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in words]


def frame_of(codec: Codec, config: Any) -> Frame:
    """The frame of a model, given its loaded configuration."""
    token = codec.family.token
    known = codec.tokenizer.convert_tokens_to_ids(token(codec.target)) if token else None
    return Frame(
        pad=config.pad_token_id,
        end=config.eos_token_id,
        begin=codec.family.begin(config.decoder_start_token_id, codec.stand_ins["target"].get(known, known)),
        longest=read_shape(config.to_dict()).max_positions,
        forbidden=forbidden_in(codec.forbidden, config, _numbers(codec)),
    )


def _numbers(codec: Codec) -> set[int]:
    """Numbers of all entries of a vocabulary; M2M-100's tokenizer does not count its languages among them."""
    return {*codec.tokenizer.get_vocab().values(), *codec.special, *codec.extension.pieces}


def _framed(codec: Codec, rows: Sequence[Sequence[int]], side: Side, *, longest: int) -> list[list[int]]:
    """Special tokens within a sentence become unknown words: no tag `</s>` ends it, no `es_XX` changes its language.

    Known pieces become new entries, and what stands in for a new language at the edges becomes its token.
    """
    unknown = dict.fromkeys(codec.special, codec.tokenizer.unk_token_id)
    new = codec.stand_ins[side]
    first, end = len(codec.around[side].before), len(codec.around[side].after)
    framed = []
    for row in rows:
        last = len(row) - end
        before, after = ([new.get(token, token) for token in part] for part in (row[:first], row[last:]))
        words = codec.extension.shortened([unknown.get(token, token) for token in row[first:last]])
        framed.append([*before, *words[: longest - len(before) - len(after)], *after])
    return framed


EXTENSION = "extension.json"
"""File in a model's folder that holds them."""


def read_extension(folder: Path) -> Extension:
    """What was added to the model in a folder; nothing for most."""
    written = read_json(folder / EXTENSION)
    return Extension(
        languages={tag: NewLanguage(**entry) for tag, entry in written.get("languages", {}).items()},
        pieces={int(entry): tuple(pieces) for entry, pieces in written.get("pieces", {}).items()},
    )


class LossWarning(UserWarning):
    """A sentence loses something on its way into tokens."""


@dataclass(frozen=True)
class Loss:
    """What one sentence loses: whether it is cut, and how many of its tokens are unknown."""

    truncated: bool
    unknown: int


def losses(
    codec: Codec, sentences: Sequence[str], rows: Sequence[Sequence[int]], side: Side, *, longest: int
) -> list[Loss]:
    """What each sentence loses, given the tokens that `encode` makes of it with the same `longest`.

    A vocabulary that writes what it does not know in bytes has no unknown tokens. Those of a prompt count for nothing.
    """
    full = [number for number, row in enumerate(rows) if len(row) >= longest]
    with_more = encode(codec, [sentences[number] for number in full], side, longest=longest + 1)
    cut = {number for number, row in zip(full, with_more, strict=True) if len(row) > longest}
    unknown = codec.tokenizer.unk_token_id
    (empty,) = encode(codec, [""], side, longest=longest)
    around = sum(token == unknown for token in empty)
    return [
        Loss(number in cut, max(0, sum(token == unknown for token in row) - around)) for number, row in enumerate(rows)
    ]


TOKENIZER_FILES = ("*token*.json", "vocab*.json", "merges.txt", "*.model", "*.spm")
