"""A model's tokenizer, set to a language pair: from text to tokens as its family has it, and back.

What differs between families is declared in `mtpeft.models.families`; this is what they have in common.
"""

from collections import Counter
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
from mtpeft.models.special_tokens import (
    ForbiddenTokens,
    Side,
    SpecialTokens,
    TokensAround,
    forbidden_by,
    forbidden_in,
    tokens_around,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENIZER_FILES = ("*token*.json", "vocab*.json", "merges.txt", "*.model", "*.spm")
"""Patterns of the files of a model's folder that its tokenizer is made of."""
EXTENSION = "extension.json"
"""File in a model's folder that holds the entries which were added to its vocabulary."""


@dataclass(frozen=True)
class AddedLanguage:
    """The token of a language that the model has not seen.

    Attributes:
        id: number of the token.
        stand_in: the family's name of the language that stands in for it in the tokenizer.
    """

    id: int
    stand_in: str


@dataclass(frozen=True)
class AddedVocabulary:
    """New entries of a vocabulary.

    Attributes:
        languages: tokens of new languages, by BCP 47 tag.
        pieces: each new piece with the known pieces that it replaces.
    """

    languages: Mapping[str, AddedLanguage]
    pieces: Mapping[int, tuple[int, ...]]

    @property
    def language_ids(self) -> list[int]:
        """Tokens of the new languages."""
        return [language.id for language in self.languages.values()]

    @cached_property
    def _by_first(self) -> Mapping[int, list[tuple[tuple[int, ...], int]]]:
        """Replaced pieces with their new piece, by the first of them, the longest sequence first."""
        found: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        for entry, replaced in sorted(self.pieces.items(), key=lambda item: -len(item[1])):
            found.setdefault(replaced[0], []).append((replaced, entry))
        return found

    def shortened(self, tokens: Sequence[int]) -> list[int]:
        """Replace known pieces by new ones, from the left, at each place by the one that replaces the most."""
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
        """Replace new pieces by the known ones that they stand for."""
        return [piece for token in tokens for piece in self.pieces.get(int(token), (int(token),))]


@dataclass(frozen=True)
class PairTokenizer:
    """A tokenizer, set to a source and a target language.

    Attributes:
        pretrained: the tokenizer of the model.
        family: family of the model.
        source: the family's name of the source language.
        target: the family's name of the target language.
        names: all names of languages in the vocabulary.
        special: tokens that are no text; M2M-100's languages are not among its tokenizer's own special tokens.
        prompt: text before every source sentence.
        around: by side, the special tokens around a sentence.
        stand_ins: by side, the token that stands in for a new language in the tokenizer, with the new language's token.
        extension: entries that were added to the vocabulary.
        forbidden: tokens that the files of the model forbid in hypotheses.
    """

    pretrained: "PreTrainedTokenizerBase"
    family: Family
    source: str
    target: str
    names: frozenset[str]
    special: frozenset[int]
    prompt: str
    around: Mapping[Side, TokensAround]
    stand_ins: Mapping[Side, Mapping[int, int]]
    extension: AddedVocabulary
    forbidden: ForbiddenTokens


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Load the tokenizer in a model's folder, of its family's class where no file names one; nothing is fetched."""
    import transformers

    named = "AutoTokenizer" if names_class(folder) else family_in(folder).tokenizers[0]
    return getattr(transformers, named).from_pretrained(folder, local_files_only=True)


def open_tokenizer(
    folder: Path, languages: Mapping[Side, str], *, vocabulary: str, prompt: str | None = None
) -> PairTokenizer:
    """Load the tokenizer in a folder and set it to a language pair.

    Args:
        folder: of the model.
        languages: BCP 47 tags by side.
        vocabulary: what messages call the vocabulary.
        prompt: text before every source sentence, with places for the languages; None for that of the family.

    Raises:
        UserError: the family is not supported, the vocabulary has no name for a language, there is a prompt though the
            vocabulary has language tokens, or the tokenizer puts other tokens around a sentence than its family has.
    """
    family, pretrained = family_in(folder), load_tokenizer(folder)
    extension = read_extension(folder)
    names = names_in(family, pretrained)

    def named(language: str) -> str:
        if language in extension.languages:
            return extension.languages[language].stand_in
        name = language if names is None else match(language, names)
        if name is None and (candidates := rivals(language, names)):
            raise UserError(
                f"The vocabulary '{vocabulary}' has the language '{language}' in several scripts: "
                f"{', '.join(candidates)}; write the script of the text as well, as in 'sr-Latn'."
            )
        if name is None or (family.token and _is_unknown(pretrained, family.token(name))):
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
    language_tokens = pretrained.convert_tokens_to_ids([token(name) for name in names or ()])
    tokenizer = PairTokenizer(
        pretrained=pretrained,
        family=family,
        source=source,
        target=target,
        names=frozenset(names or ()),
        special=frozenset([*pretrained.all_special_ids, *language_tokens, *extension.language_ids]),
        prompt=family.source_prefix(source, target) if prompt is None else written_prompt(prompt, source, target),
        around={},
        stand_ins=_stand_ins(pretrained, family, extension, languages),
        extension=extension,
        forbidden=forbidden_by(folder),
    )
    if family.takes_languages:
        pretrained.src_lang, pretrained.tgt_lang = source, target
    written = tokenizer.prompt.strip() if tokenizer.prompt.strip() in tokenizer.names else ""
    sides: tuple[tuple[Side, str, str], ...] = (("source", source, written), ("target", target, ""))
    around = {
        side: tokens_around(pretrained, family, side=side, language=language, before=before, folder=folder)
        for side, language, before in sides
    }
    return replace(tokenizer, around=around)


def names_in(family: Family, pretrained: "PreTrainedTokenizerBase") -> Names | None:
    """Return a family's names of the languages that a tokenizer has, or None where any language will do."""
    return family.names({"language_codes": getattr(pretrained, "language_codes", None)}, sorted(pretrained.get_vocab()))


def _stand_ins(
    pretrained: "PreTrainedTokenizerBase", family: Family, extension: AddedVocabulary, languages: Mapping[Side, str]
) -> dict[Side, dict[int, int]]:
    """Return the tokens at the edges of each side that stand in for a new language.

    Families without names of source languages have the target's before the source.
    """
    named: dict[Side, Side] = {"source": "source" if family.names_source else "target", "target": "target"}
    token = family.token or str
    found: dict[Side, dict[int, int]] = {}
    for side, meant in named.items():
        new = extension.languages.get(languages[meant])
        found[side] = {pretrained.convert_tokens_to_ids(token(new.stand_in)): new.id} if new else {}
    return found


def _is_unknown(pretrained: "PreTrainedTokenizerBase", token: str) -> bool:
    return pretrained.convert_tokens_to_ids(token) in (None, pretrained.unk_token_id)


def encode(tokenizer: PairTokenizer, sentences: Sequence[str], side: Side, *, max_length: int) -> list[list[int]]:
    """Return the tokens of sentences with their special tokens, truncated to `max_length`.

    They are those of the model's own tokenizer. Spaces at the ends are dropped, as sentencepiece does.
    """
    if not sentences:
        return []
    stripped = [sentence.strip() for sentence in sentences]
    # New pieces make sentences shorter, so where there are any, truncation comes after them.
    options = {} if tokenizer.extension.pieces else {"truncation": True, "max_length": max_length}
    if side == "target":
        rows = tokenizer.pretrained(text_target=stripped, **options)["input_ids"]
    else:
        rows = tokenizer.pretrained([tokenizer.prompt + sentence for sentence in stripped], **options)["input_ids"]
    return _with_own_edges(tokenizer, rows, side, max_length=max_length)


def source_prompt(folder: Path, languages: Mapping[Side, str], prompt: str | None) -> str:
    """Return the text before every source sentence; empty for a vocabulary that has tokens for languages.

    Args:
        folder: of the model.
        languages: BCP 47 tags by side.
        prompt: with places for the languages; None for that of the family.
    """
    family = family_in(folder)
    if names_in(family, load_tokenizer(folder)) is not None:
        return ""
    source, target = languages["source"], languages["target"]
    return family.source_prefix(source, target) if prompt is None else written_prompt(prompt, source, target)


def words(folder: Path, sentences: Sequence[str], side: Side) -> list[list[int]]:
    """Return the tokens of sentences in the vocabulary of a model, without special tokens, whatever their language."""
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    names = names_in(family, tokenizer)
    if family.takes_languages and names:
        # The tokenizer of M2M-100 reads no target without a language, though no token of it is asked for.
        tokenizer.src_lang = tokenizer.tgt_lang = next(iter(names))
    given = {"text_target": list(sentences)} if side == "target" else {"text": list(sentences)}
    special = {*tokenizer.all_special_ids}
    rows = tokenizer(**given, add_special_tokens=False)["input_ids"]
    return [[token for token in row if token not in special] for row in rows]


def count_words(folder: Path, sentences: Sequence[str], side: Side) -> Counter[int]:
    """Count the tokens of sentences in the vocabulary of a model, without special tokens."""
    return Counter(token for row in words(folder, sentences, side) for token in row)


def detokenise(tokenizer: PairTokenizer, hypotheses: Sequence[Sequence[int]]) -> list[str]:
    """Return the text of each sequence of tokens, without special tokens."""
    known = (tokenizer.extension.spelt_out(tokens) for tokens in hypotheses)
    words = ([token for token in tokens if token not in tokenizer.special] for tokens in known)
    return [tokenizer.pretrained.decode(tokens, skip_special_tokens=True) for tokens in words]


def special_tokens_of(tokenizer: PairTokenizer, config: Any) -> SpecialTokens:
    """Return the special tokens of a model, for the target language, given the model's loaded configuration."""
    token = tokenizer.family.token
    known = tokenizer.pretrained.convert_tokens_to_ids(token(tokenizer.target)) if token else None
    language = tokenizer.stand_ins["target"].get(known, known)
    return SpecialTokens(
        pad=config.pad_token_id,
        end=config.eos_token_id,
        begin=tokenizer.family.begin(config.decoder_start_token_id, language),
        max_length=read_shape(config.to_dict()).max_positions,
        forbidden=forbidden_in(tokenizer.forbidden, config, _known_tokens(tokenizer)),
    )


def _known_tokens(tokenizer: PairTokenizer) -> set[int]:
    """Return all tokens of a vocabulary; M2M-100's tokenizer does not count its languages among them."""
    return {*tokenizer.pretrained.get_vocab().values(), *tokenizer.special, *tokenizer.extension.pieces}


def _with_own_edges(
    tokenizer: PairTokenizer, rows: Sequence[Sequence[int]], side: Side, *, max_length: int
) -> list[list[int]]:
    """Turn special tokens within sentences into unknown words, and put in the new entries of the vocabulary.

    So no tag `</s>` in a text ends a sentence, and no `es_XX` changes its language.
    """
    unknown = dict.fromkeys(tokenizer.special, tokenizer.pretrained.unk_token_id)
    new = tokenizer.stand_ins[side]
    first, end = len(tokenizer.around[side].before), len(tokenizer.around[side].after)
    encoded = []
    for row in rows:
        last = len(row) - end
        before, after = ([new.get(token, token) for token in part] for part in (row[:first], row[last:]))
        words = tokenizer.extension.shortened([unknown.get(token, token) for token in row[first:last]])
        encoded.append([*before, *words[: max_length - len(before) - len(after)], *after])
    return encoded


def read_extension(folder: Path) -> AddedVocabulary:
    """Read what was added to the vocabulary of the model in a folder; nothing for most models."""
    written = read_json(folder / EXTENSION)
    return AddedVocabulary(
        languages={tag: AddedLanguage(**entry) for tag, entry in written.get("languages", {}).items()},
        pieces={int(entry): tuple(pieces) for entry, pieces in written.get("pieces", {}).items()},
    )


class LossWarning(UserWarning):
    """Warns of a sentence that loses something on its way into tokens."""


@dataclass(frozen=True)
class Loss:
    """The loss of one sentence in tokenisation.

    Attributes:
        truncated: whether its end is cut off.
        unknown: number of its unknown tokens.
    """

    truncated: bool
    unknown: int


def losses(
    tokenizer: PairTokenizer, sentences: Sequence[str], rows: Sequence[Sequence[int]], side: Side, *, max_length: int
) -> list[Loss]:
    """Return what each sentence loses on its way into tokens.

    A vocabulary that writes unknown characters in bytes has no unknown tokens. Those of a prompt are not counted.

    Args:
        tokenizer: set to the language pair.
        sentences: of one side.
        rows: tokens that `encode` makes of them with the same `max_length`.
        side: of the sentences.
        max_length: most tokens of a sentence.
    """
    full = [number for number, row in enumerate(rows) if len(row) >= max_length]
    with_more = encode(tokenizer, [sentences[number] for number in full], side, max_length=max_length + 1)
    truncated = {number for number, row in zip(full, with_more, strict=True) if len(row) > max_length}
    unknown = tokenizer.pretrained.unk_token_id
    (empty,) = encode(tokenizer, [""], side, max_length=max_length)
    around = sum(token == unknown for token in empty)
    return [
        Loss(number in truncated, max(0, sum(token == unknown for token in row) - around))
        for number, row in enumerate(rows)
    ]
