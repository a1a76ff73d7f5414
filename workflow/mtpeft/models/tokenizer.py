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
from mtpeft.models.families.prompts import has_sentence, written_prompt
from mtpeft.models.prompt_frame import WIDEST_CHARACTER, PromptFrame, encode_sources, encode_targets, prompt_frame
from mtpeft.models.special_tokens import (
    ForbiddenTokens,
    Side,
    SpecialTokens,
    TokensAround,
    ends_by,
    forbidden_by,
    forbidden_in,
    tokens_around,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENIZER_FILES = ("*token*.json", "vocab*.json", "merges.txt", "*.model", "*.spm", "chat_template.*")
"""Patterns of the files of a model's folder that its tokenizer is made of."""
EXTENSION = "extension.json"
"""File in a model's folder that holds the entries which were added to its vocabulary."""


PROMPT_KEYS = ("prompt", "chat_template")
"""Keys of `models.<label>` that say what is written around a source."""


def prompt_keys(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys among the params of a step that say what is written around a source."""
    return {key: params[key] for key in PROMPT_KEYS if key in params}


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
        ends: tokens that end a hypothesis by the files of the model.
        frame: what stands around the sentences of a causal model; None for others.
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
    ends: tuple[int, ...] = ()
    frame: PromptFrame | None = None


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Load the tokenizer in a model's folder, of its family's class where no file names one; nothing is fetched."""
    import transformers

    named = "AutoTokenizer" if names_class(folder) else family_in(folder).tokenizers[0]
    return getattr(transformers, named).from_pretrained(folder, local_files_only=True)


def open_tokenizer(
    folder: Path,
    languages: Mapping[Side, str],
    *,
    vocabulary: str,
    prompt: str | None = None,
    chat_template: bool | str | None = None,
) -> PairTokenizer:
    """Load the tokenizer in a folder and set it to a language pair.

    Args:
        folder: of the model.
        languages: BCP 47 tags by side.
        vocabulary: what messages call the vocabulary.
        prompt: text before every source sentence, with places for the languages; None for that of the family.
        chat_template: of a causal model: whether its chat template is used, or which; None for whether it has one.

    Raises:
        UserError: the family is not supported, there is a key for another kind of model, the vocabulary has no name for
            a language, there is a prompt though the vocabulary has language tokens, or the tokenizer puts other tokens
            around a sentence than its family has.
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
    if not family.task.is_prompted:
        _refuse_keys_of_prompted(prompt, chat_template, vocabulary=vocabulary)
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
        special=frozenset([*_special_ids(pretrained, family), *language_tokens, *extension.language_ids]),
        prompt="",
        around={},
        stand_ins=_stand_ins(pretrained, family, extension, languages),
        extension=extension,
        forbidden=forbidden_by(folder),
    )
    if family.task.is_prompted:
        ends = ends_by(folder)
        frame = prompt_frame(
            pretrained,
            (source, target),
            prompt=prompt,
            chat_template=chat_template,
            stops=ends,
            special=tokenizer.special,
            model=vocabulary,
        )
        return replace(tokenizer, frame=frame, ends=ends)
    tokenizer = replace(
        tokenizer,
        prompt=family.source_prefix(source, target) if prompt is None else written_prompt(prompt, source, target),
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


def _special_ids(pretrained: "PreTrainedTokenizerBase", family: Family) -> set[int]:
    """Return the tokens that have a name, and for chat templates others that were added as special ones."""
    added = pretrained.added_tokens_decoder.items() if family.task.is_prompted else ()
    return {*pretrained.all_special_ids, *(token for token, own in added if own.special)}


def _refuse_keys_of_prompted(prompt: str | None, chat_template: bool | str | None, *, vocabulary: str) -> None:
    """Refuse keys that are for decoder-only models alone.

    Raises:
        UserError: names the key.
    """
    if prompt is not None and has_sentence(prompt):
        raise UserError(
            f"'models.{vocabulary}.prompt' has '{{text}}', which is for decoder-only models; in others the sentence "
            "stands behind the prompt, so take it out."
        )
    if chat_template is not None:
        raise UserError(
            f"'models.{vocabulary}.chat_template' is for decoder-only models, which '{vocabulary}' is not; take it out."
        )


def _is_unknown(pretrained: "PreTrainedTokenizerBase", token: str) -> bool:
    return pretrained.convert_tokens_to_ids(token) in (None, pretrained.unk_token_id)


def encode(tokenizer: PairTokenizer, sentences: Sequence[str], side: Side, *, max_length: int) -> list[list[int]]:
    """Return the tokens of sentences with their special tokens, truncated to `max_length`.

    They are those of the model's own tokenizer. Spaces at the ends are dropped, as sentencepiece does.
    """
    if not sentences:
        return []
    stripped = [sentence.strip() for sentence in sentences]
    if tokenizer.frame:
        encode_side = {"source": encode_sources, "target": encode_targets}[side]
        return encode_side(
            tokenizer.pretrained, tokenizer.frame, stripped, special=tokenizer.special, max_length=max_length
        )
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
    lines = (tokenizer.pretrained.decode(tokens, skip_special_tokens=True) for tokens in words)
    # The answer to a prompt may begin with a space or a new line.
    return [line.strip() for line in lines] if tokenizer.frame else list(lines)


def special_tokens_of(tokenizer: PairTokenizer, config: Any) -> SpecialTokens:
    """Return the special tokens of a model, for the target language, given the model's loaded configuration."""
    token = tokenizer.family.token
    known = tokenizer.pretrained.convert_tokens_to_ids(token(tokenizer.target)) if token else None
    language = tokenizer.stand_ins["target"].get(known, known)
    max_length = read_shape(config.to_dict()).positions_of_side
    end = tokenizer.frame.end if tokenizer.frame else config.eos_token_id
    other_ends = tuple(token for token in tokenizer.ends if token != end)
    (around,) = encode(tokenizer, [""], "source", max_length=max_length) if tokenizer.frame else ([],)
    return SpecialTokens(
        pad=end if config.pad_token_id is None else config.pad_token_id,
        end=end,
        begin=tokenizer.family.begin(getattr(config, "decoder_start_token_id", None), language),
        max_length=max_length,
        forbidden=forbidden_in(tokenizer.forbidden, config, _known_tokens(tokenizer), ends=(end, *other_ends)),
        task=tokenizer.family.task,
        other_ends=other_ends,
        around_source=len(around),
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
    spare = WIDEST_CHARACTER if tokenizer.frame else 0
    full = [number for number, row in enumerate(rows) if len(row) >= max_length - spare]
    with_more = encode(tokenizer, [sentences[number] for number in full], side, max_length=max_length + 1 + spare)
    truncated = {number for number, row in zip(full, with_more, strict=True) if len(row) > max_length}
    unknown = tokenizer.pretrained.unk_token_id
    (empty,) = encode(tokenizer, [""], side, max_length=max_length)
    around = sum(token == unknown for token in empty)
    return [
        Loss(number in truncated, max(0, sum(token == unknown for token in row) - around))
        for number, row in enumerate(rows)
    ]
