"""The declaration of a family of models; nothing else in the project knows one family from another."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mtpeft.models.architecture import ModelShape
from mtpeft.models.tasks import SEQUENCE_TO_SEQUENCE, Task

TokenizerConfig = Mapping[str, Any]
Names = Mapping[str, str]
"""Names of languages, each with the BCP 47 tag that it stands for."""


WRITTEN_TARGET = re.compile(r"<2([a-z]{2,3}(?:_[A-Z][a-z]{3})?(?:_[A-Z]{2})?)>|>>(.+)<<")
"""A token for a target language that is written before the source, `<2de>` or `>>deu<<`; MADLAD-400 has others that
begin like the first for tasks, scripts and regions."""
Mark = Literal["language", "end"]
"""The meaning of a special token at an edge of a sentence: its language, or its end."""


@dataclass(frozen=True)
class Edges:
    """Special tokens that the tokenizer puts before and after a sentence."""

    before: tuple[Mark, ...]
    after: tuple[Mark, ...]


LANGUAGE_FIRST = Edges(("language",), ("end",))
LANGUAGE_LAST = Edges((), ("end", "language"))
END_ALONE = Edges((), ("end",))


def written_targets(config: TokenizerConfig, vocabulary: Collection[str]) -> Names | None:
    """Return the tokens of target languages that are written before the source; None where there are no such tokens."""
    found = filter(None, map(WRITTEN_TARGET.fullmatch, vocabulary))
    return {token[0]: (token[1] or token[2]).replace("_", "-") for token in found} or None


def target_before(source: str, target: str) -> str:
    """Return the token of the target language as text before the source, if there are such tokens."""
    return f"{target} " if WRITTEN_TARGET.fullmatch(target) else ""


def no_prefix(source: str, target: str) -> str:
    """Return no text, since a token names the language."""
    return ""


def start_and_language(start: int, language: int | None) -> tuple[int, ...]:
    """Return the start token and the target language, which the decoder is forced to say first."""
    assert language is not None
    return start, language


def language_alone(start: int, language: int | None) -> tuple[int, ...]:
    """Return the target language, which the decoder starts from."""
    assert language is not None
    return (language,)


def start_alone(start: int, language: int | None) -> tuple[int, ...]:
    """Return the start token."""
    return (start,)


def no_begin(start: int, language: int | None) -> tuple[int, ...]:
    """Return nothing, since a prompt stands before the target."""
    return ()


@dataclass(frozen=True)
class Family:
    """A family of models: an entry of the registry.

    By default a token names the language, and stands first on both sides.

    Attributes:
        name: under which the registry knows it.
        title: what messages call it.
        model_type: that of its `config.json`.
        tokenizers: classes of its tokenizer, which tell families of one `model_type` apart; the first is loaded where
            a folder names none.
        shape: shape of the model of a `config.json`; raises `KeyError` where that lacks a key.
        names: names of languages, from `tokenizer_config.json` and the entries of the vocabulary; None where any
            language will do.
        names_in_vocabulary: the names are known from the whole vocabulary alone.
        names_source: the source language has a name, and not the target language alone.
        token: entry of the vocabulary for a named language; None where there are no such entries.
        takes_languages: the tokenizer has both names set, as `src_lang` and `tgt_lang`.
        source_prefix: text before every source sentence, from the names of source and target language; where it is one
            of the names, it is a token that stands before the sentence like those of the edges.
        source_edges: special tokens around a source sentence.
        target_edges: special tokens around a target sentence.
        begin: tokens that the decoder reads before it predicts the first word, from the configured start token and,
            where there is one, the token of the target language.
        dropout: key of `config.json` that holds the dropout of hidden states.
        fixed: keys of `config.json` that training sets, whatever the checkpoint says.
        may_untie_output: the output projection may have a matrix of its own.
        learns_logits_bias: the logits have a learnt bias for each entry of the vocabulary.
        recognised_by: whether a folder that names no class of tokenizer holds this family and not another one of its
            `model_type`; from the folder, its config.json and its tokenizer_config.json. None: where no other does.
        heads_key: key of `config.json` with the number of heads that are left of each attention module, where their
            width does not follow from that; None where heads always fill the width of the model.
        wrong_tokenizer: what is wrong with the tokenizer of a folder that is named as this family's, in words; from its
            config.json and the number of the tokenizer's entries.
        task: what kind of models they are.
        module: file that an entry from outside of the package comes from.
    """

    name: str
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
    may_untie_output: bool = False
    learns_logits_bias: bool = False
    recognised_by: Callable[[Path, Mapping[str, Any], TokenizerConfig], bool] | None = None
    heads_key: str | None = None
    wrong_tokenizer: Callable[[Mapping[str, Any], int], str | None] | None = None
    task: Task = SEQUENCE_TO_SEQUENCE
    module: str = ""

    def is_meant_by(self, folder: Path, config: Mapping[str, Any], described: TokenizerConfig) -> bool:
        """Return whether a folder of its `model_type` that names no class of tokenizer may hold this family."""
        return self.recognised_by is None or self.recognised_by(folder, config, described)
