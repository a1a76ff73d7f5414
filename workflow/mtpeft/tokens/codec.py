"""A model's tokenizer, set to the two languages of a pair: from text to tokens as its family has it, and back.

What differs between families is said in `mtpeft.models.families`; here is what they have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.errors import UserError
from mtpeft.languages import match
from mtpeft.models.families import family_in, read_shape
from mtpeft.models.families.base import Edges, Family
from mtpeft.tokens.frame import Frame

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Side = Literal["source", "target"]


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
    """

    tokenizer: "PreTrainedTokenizerBase"
    family: Family
    source: str
    target: str
    names: frozenset[str]
    special: frozenset[int]


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in a model's folder; nothing is fetched."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def open_codec(folder: Path, languages: Mapping[Side, str], *, vocabulary: str) -> Codec:
    """The tokenizer in a folder, set to a pair of languages given as BCP 47 tags.

    Raises:
        UserError: the family is not supported, or the vocabulary has no name for a language; calls it `vocabulary`.
    """
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    codes = {"language_codes": getattr(tokenizer, "language_codes", None)}
    names = family.names(codes, tokenizer.get_vocab())

    def named(language: str) -> str:
        name = language if names is None else match(language, names)
        if name is None or (family.token and _is_unknown(tokenizer, family.token(name))):
            raise UserError(
                f"The vocabulary '{vocabulary}' has no token for the language '{language}'; use a pair that it knows, "
                "or pre-train a model with that pair in `pretrain.vocabulary_pairs`."
            )
        return name

    source = named(languages["source"]) if family.names_source else languages["source"]
    token = family.token or str
    own = tokenizer.convert_tokens_to_ids([token(name) for name in names or ()])
    special = frozenset([*tokenizer.all_special_ids, *own])
    codec = Codec(tokenizer, family, source, named(languages["target"]), frozenset(names or ()), special)
    if family.takes_languages:
        tokenizer.src_lang, tokenizer.tgt_lang = codec.source, codec.target
    return codec


def _is_unknown(tokenizer: "PreTrainedTokenizerBase", token: str) -> bool:
    return tokenizer.convert_tokens_to_ids(token) in (None, tokenizer.unk_token_id)


def encode(codec: Codec, sentences: Sequence[str], side: Side, *, longest: int) -> list[list[int]]:
    """Tokens of sentences as the model's own tokenizer has them, special tokens included, cut to `longest`.

    Spaces at the ends are dropped, as sentencepiece does.
    """
    if not sentences:
        return []
    stripped = [sentence.strip() for sentence in sentences]
    options = {"truncation": True, "max_length": longest}
    if side == "target":
        rows = codec.tokenizer(text_target=stripped, **options)["input_ids"]
        return _as_text(codec, rows, codec.family.target_edges)
    prefix = codec.family.source_prefix(codec.source, codec.target)
    rows = codec.tokenizer([prefix + sentence for sentence in stripped], **options)["input_ids"]
    edges = codec.family.source_edges
    # Marian's prefix is a special token that the tokenizer takes for a part of the sentence.
    is_token = prefix.strip() in codec.names
    return _as_text(codec, rows, Edges(edges.before + is_token, edges.after))


def text_of(codec: Codec, hypotheses: Sequence[Sequence[int]]) -> list[str]:
    """Text of each sequence of tokens, without special ones."""
    words = ([token for token in tokens if token not in codec.special] for tokens in hypotheses)
    return [codec.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in words]


def frame_of(codec: Codec, config: Any) -> Frame:
    """The frame of a model, given its loaded configuration."""
    token = codec.family.token
    language = codec.tokenizer.convert_tokens_to_ids(token(codec.target)) if token else None
    return Frame(
        pad=config.pad_token_id,
        end=config.eos_token_id,
        begin=codec.family.begin(config.decoder_start_token_id, language),
        longest=read_shape(config.to_dict()).max_positions,
    )


def _as_text(codec: Codec, rows: Sequence[Sequence[int]], edges: Edges) -> list[list[int]]:
    """Special tokens within a sentence become unknown words: no tag `</s>` ends it, no `es_XX` changes its language."""
    unknown = dict.fromkeys(codec.special, codec.tokenizer.unk_token_id)
    cleaned = []
    for row in rows:
        first, last = edges.before, len(row) - edges.after
        cleaned.append([*row[:first], *(unknown.get(token, token) for token in row[first:last]), *row[last:]])
    return cleaned
