"""What a family of models says of itself; everything else in the project is blind to families."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mtpeft.models.architecture import ModelShape

TokenizerConfig = Mapping[str, Any]
Names = Mapping[str, str]
"""Names for languages, each with the BCP 47 tag that it stands for."""


WRITTEN_TARGET = re.compile(r"<2([a-z]{2,3}(?:_[A-Z][a-z]{3})?(?:_[A-Z]{2})?)>|>>(.+)<<")
"""A token for a target language that is written before the source, `<2de>` or `>>deu<<`; MADLAD-400 has others that
begin like the first for tasks, scripts and regions."""
Mark = Literal["language", "end"]
"""What a special token at an edge of a sentence says: its language, or that it ends."""


@dataclass(frozen=True)
class Edges:
    """Special tokens that the tokenizer puts before and after a sentence."""

    before: tuple[Mark, ...]
    after: tuple[Mark, ...]


LANGUAGE_FIRST = Edges(("language",), ("end",))
LANGUAGE_LAST = Edges((), ("end", "language"))
END_ALONE = Edges((), ("end",))


def written_targets(config: TokenizerConfig, vocabulary: Collection[str]) -> Names | None:
    """Tokens of target languages that are written before the source, or None where there are none: any will do."""
    found = filter(None, map(WRITTEN_TARGET.fullmatch, vocabulary))
    return {token[0]: (token[1] or token[2]).replace("_", "-") for token in found} or None


def target_before(source: str, target: str) -> str:
    """The token of the target language, if there are such tokens."""
    return f"{target} " if WRITTEN_TARGET.fullmatch(target) else ""


def no_prefix(source: str, target: str) -> str:
    """Nothing: a token says the language."""
    return ""


def start_and_language(start: int, language: int | None) -> tuple[int, ...]:
    """The start token, then the target language, which the decoder is made to say first."""
    assert language is not None
    return start, language


def language_alone(start: int, language: int | None) -> tuple[int, ...]:
    """The target language, which the decoder starts from."""
    assert language is not None
    return (language,)


def start_alone(start: int, language: int | None) -> tuple[int, ...]:
    """The start token."""
    return (start,)


@dataclass(frozen=True)
class Family:
    """An entry of the registry. What it leaves out is as most have it: a token says the language, first on both sides.

    Attributes:
        title: what sentences call it.
        model_type: that of its `config.json`.
        tokenizers: classes of its tokenizer, which tell families of one `model_type` apart; the first is loaded where
            a folder names none.
        shape: modules and counts of a `config.json`; raises `KeyError` where that lacks a key.
        names: its names for languages, from `tokenizer_config.json` and the entries of the vocabulary. None: any
            language will do.
        names_in_vocabulary: its names are known from the whole vocabulary alone.
        names_source: the source's language has a name as well as the target's.
        token: entry of the vocabulary that stands for a named language; None where there are no such entries.
        takes_languages: the tokenizer is told both names, as `src_lang` and `tgt_lang`.
        source_prefix: text before every source sentence, from the names of source and target language; where it is one
            of the names, it is a token that stands before the sentence like those of the edges.
        source_edges: special tokens around a source sentence.
        target_edges: special tokens around a target sentence.
        begin: tokens that the decoder reads before it predicts the first word, from the configured start token and,
            where there is one, the token of the target language.
        dropout: key of `config.json` that holds the dropout of hidden states.
        fixed: keys of `config.json` that training sets, whatever the checkpoint says.
    """

    title: str
    model_type: str
    tokenizers: tuple[str, ...]
    shape: Callable[[Mapping[str, Any]], ModelShape]
    names: Callable[[TokenizerConfig, Collection[str]], Names | None]
    names_in_vocabulary: bool = False
    names_source: bool = True
    token: Callable[[str], str] | None = str
    takes_languages: bool = True
    source_prefix: Callable[[str, str], str] = no_prefix
    source_edges: Edges = LANGUAGE_FIRST
    target_edges: Edges = LANGUAGE_FIRST
    begin: Callable[[int, int | None], tuple[int, ...]] = start_and_language
    dropout: str = "dropout"
    fixed: Mapping[str, Any] = field(default_factory=dict)
