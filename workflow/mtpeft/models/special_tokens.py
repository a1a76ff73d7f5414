"""The special tokens of a model: those around the words of a sentence, and those that no hypothesis may hold.

Marian's checkpoints, for example, forbid `<pad>`, whose logit is 0 while all others may be below. Older checkpoints say
what they forbid in `config.json`, newer ones in `generation_config.json`. Nothing else of what these files say about
generation counts: the configuration of the workflow says how hypotheses are searched.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.core.errors import UserError
from mtpeft.models.families import read_json
from mtpeft.models.families.base import Edges, Family
from mtpeft.models.tasks import SEQUENCE_TO_SEQUENCE, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILES = ("generation_config.json", "config.json")
ENDS = "eos_token_id"
"""Key of these files: the token that ends a hypothesis, or a list of such tokens."""
WORDS, NOWHERE, NOT_FIRST = "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"
"""Keys of these files: lists of tokens that must not follow each other, and lists of tokens."""
Side = Literal["source", "target"]


@dataclass(frozen=True)
class ForbiddenTokens:
    """Tokens that no search may choose.

    Attributes:
        tokens: forbidden everywhere.
        first: forbidden as the first word of a hypothesis.
        sequences: two or more tokens that must not follow each other.
    """

    tokens: tuple[int, ...] = ()
    first: tuple[int, ...] = ()
    sequences: tuple[tuple[int, ...], ...] = ()


NOTHING_FORBIDDEN = ForbiddenTokens()


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens of a model, for a target language, and its longest sequence.

    Attributes:
        pad: token that fills up rows.
        end: token that ends a sentence.
        begin: tokens that the decoder reads before it predicts the first word.
        max_length: most tokens of a sequence: of a source, and of a target.
        forbidden: tokens that hypotheses must not hold.
        task: what kind of model it is.
        other_ends: tokens that end a hypothesis as well.
        around_source: tokens of a source that are its prompt's, which make no hypothesis longer.
    """

    pad: int
    end: int
    begin: tuple[int, ...]
    max_length: int
    forbidden: ForbiddenTokens = NOTHING_FORBIDDEN
    task: Task = SEQUENCE_TO_SEQUENCE
    other_ends: tuple[int, ...] = ()
    around_source: int = 0

    @property
    def ends(self) -> tuple[int, ...]:
        """All tokens that end a hypothesis."""
        return (self.end, *self.other_ends)


@dataclass(frozen=True)
class TokensAround:
    """Tokens before and after every sentence of a side."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def tokens_around(
    tokenizer: "PreTrainedTokenizerBase", family: Family, *, side: Side, language: str, before: str, folder: Path
) -> TokensAround:
    """Return the tokens that a family has around a sentence, which must be what the tokenizer puts around an empty one.

    Args:
        tokenizer: set to its languages.
        family: of the model.
        side: of the sentence.
        language: the family's name of its language.
        before: token that is written before every sentence, or empty.
        folder: of the tokenizer, for messages about it.

    Raises:
        UserError: the tokenizer puts something else there, or a token that it does not know.
    """
    edges = family.source_edges if side == "source" else family.target_edges
    first, last = (_ids(tokenizer, family, marks, language) for marks in (edges.before, edges.after))
    # A vocabulary may want a space before a token that is written.
    written = tokenizer(before, add_special_tokens=False)["input_ids"] if before else []
    expected = [*first, *written, *last]
    found = (tokenizer(before) if side == "source" else tokenizer(text_target=before))["input_ids"]
    if found != expected or tokenizer.unk_token_id in found or None in found:
        raise UserError(_mistake(tokenizer, family, edges, found, expected, side=side, folder=folder))
    return TokensAround((*first, *written), tuple(last))


def _ids(tokenizer: "PreTrainedTokenizerBase", family: Family, marks: Sequence[str], language: str) -> list[int]:
    token = family.token or str
    return [
        tokenizer.eos_token_id if mark == "end" else tokenizer.convert_tokens_to_ids(token(language)) for mark in marks
    ]


def _mistake(
    tokenizer: "PreTrainedTokenizerBase",
    family: Family,
    edges: Edges,
    found: Sequence[int],
    expected: Sequence[int],
    *,
    side: Side,
    folder: Path,
) -> str:
    written, wanted = (_shown(tokenizer, row) for row in (found, expected))
    where = f"{folder / 'tokenizer_config.json'}: the tokenizer makes {written} of an empty {side} sentence"
    if getattr(tokenizer, "legacy_behaviour", False):
        return (
            f"{where}, since it says legacy_behaviour true, but {family.title} was trained on {wanted}; write "
            '"legacy_behaviour": false there if the model is as it was published.'
        )
    return (
        f"{where}, where {family.title} has {wanted}; save the tokenizer that the model was trained with in that "
        f'folder, and name its class there as "tokenizer_class": "{family.tokenizers[0]}".'
    )


def _shown(tokenizer: "PreTrainedTokenizerBase", row: Sequence[int]) -> str:
    return f"'{' '.join(map(str, tokenizer.convert_ids_to_tokens(list(row))))}'"


def ends_by(folder: Path) -> tuple[int, ...]:
    """Read which tokens end a hypothesis by the files of a checkpoint, of which Llama 3 names several.

    Raises:
        UserError: a value is no token number, or no list of them.
    """
    given = [(file, read_json(file).get(ENDS)) for file in (folder / name for name in FILES)]
    known = [(file, ids if isinstance(ids, list) else [ids]) for file, ids in given if ids is not None]
    return tuple(sorted({token for file, ids in known for token in _tokens(ids, file, ENDS)}))


def forbidden_by(folder: Path) -> ForbiddenTokens:
    """Read what the files of a checkpoint forbid, taken together.

    Raises:
        UserError: a value is no list of token numbers.
    """
    sequences = [tuple(_tokens(words, file, WORDS)) for file, words in _values(folder, WORDS)]
    nowhere = [token for file, given in _values(folder, NOWHERE) for token in _tokens([given], file, NOWHERE)]
    first = [token for file, given in _values(folder, NOT_FIRST) for token in _tokens([given], file, NOT_FIRST)]
    alone = [words[0] for words in sequences if len(words) == 1]
    return ForbiddenTokens(
        tokens=tuple(sorted({*alone, *nowhere})),
        first=tuple(sorted(set(first))),
        sequences=tuple(sorted({words for words in sequences if len(words) > 1})),
    )


def forbidden_in(
    by_files: ForbiddenTokens, config: Any, known: Collection[int], *, ends: Collection[int]
) -> ForbiddenTokens:
    """Return what no search of a model may choose: what its files forbid, padding, and rows without a token.

    The end of a sentence is never forbidden, as in transformers' own search.

    Args:
        by_files: what the files of the checkpoint forbid.
        config: loaded configuration of the model.
        known: all tokens of its vocabulary.
        ends: tokens that end a hypothesis.
    """
    spare = set(range(config.vocab_size)).difference(known)
    tokens = {*by_files.tokens, config.pad_token_id, *spare} - {*ends, None}
    return replace(by_files, tokens=tuple(sorted(token for token in tokens if token < config.vocab_size)))


def _values(folder: Path, key: str) -> list[tuple[Path, Any]]:
    """Return the items of a key in each file that has it.

    Raises:
        UserError: its value is no list.
    """
    found = []
    for file in (folder / name for name in FILES):
        items = read_json(file).get(key) or []
        if not isinstance(items, list):
            raise _wrong(file, key)
        found += [(file, item) for item in items]
    return found


def _tokens(items: Any, file: Path, key: str) -> list[int]:
    """Return token numbers as they are.

    Raises:
        UserError: they are no token numbers.
    """
    whole = isinstance(items, list) and items and all(type(item) is int and item >= 0 for item in items)
    if not whole:
        raise _wrong(file, key)
    return items


def _wrong(file: Path, key: str) -> UserError:
    form = "lists of numbers of tokens, such as [[5], [7, 9]]" if key == WORDS else "numbers of tokens, such as [5, 7]"
    return UserError(f"{file} says under '{key}' something that is no list of {form}; write that, or take the key out.")
