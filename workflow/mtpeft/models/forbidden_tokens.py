"""What a checkpoint forbids its hypotheses, and the rows of its embeddings that no token stands for.

Marian's checkpoints forbid `<pad>`, whose logit is 0 where all others may lie below. Older ones say so in
`config.json`, newer ones in `generation_config.json`. Of all that these files say about generating, nothing else
counts: how hypotheses are searched is said by the configuration of the workflow.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.models.families import read_json
from mtpeft.models.special_tokens import Forbidden

FILES = ("generation_config.json", "config.json")
WORDS, NOWHERE, NOT_FIRST = "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"
"""Keys of these files: lists of tokens that must not follow each other, and lists of tokens."""


def forbidden_by(folder: Path) -> Forbidden:
    """What the files of a checkpoint forbid, taken together.

    Raises:
        UserError: one of them is no list of numbers of tokens.
    """
    sequences = [tuple(_tokens(words, file, WORDS)) for file, words in _values(folder, WORDS)]
    nowhere = [token for file, given in _values(folder, NOWHERE) for token in _tokens([given], file, NOWHERE)]
    first = [token for file, given in _values(folder, NOT_FIRST) for token in _tokens([given], file, NOT_FIRST)]
    alone = [words[0] for words in sequences if len(words) == 1]
    return Forbidden(
        tokens=tuple(sorted({*alone, *nowhere})),
        first=tuple(sorted(set(first))),
        sequences=tuple(sorted({words for words in sequences if len(words) > 1})),
    )


def forbidden_in(said: Forbidden, config: Any, known: Collection[int]) -> Forbidden:
    """What no search of a model may choose: what its files forbid, padding, and rows that no token stands for.

    Its end is never forbidden, as in transformers' own search.

    Args:
        said: by the files of the checkpoint.
        config: the loaded configuration of the model.
        known: numbers of all tokens of its vocabulary.
    """
    spare = set(range(config.vocab_size)).difference(known)
    tokens = {*said.tokens, config.pad_token_id, *spare} - {config.eos_token_id, None}
    return replace(said, tokens=tuple(sorted(token for token in tokens if token < config.vocab_size)))


def _values(folder: Path, key: str) -> list[tuple[Path, Any]]:
    """What the items of a key are in each file that has it.

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
    """Numbers of tokens.

    Raises:
        UserError: they are none.
    """
    whole = isinstance(items, list) and items and all(type(item) is int and item >= 0 for item in items)
    if not whole:
        raise _wrong(file, key)
    return items


def _wrong(file: Path, key: str) -> UserError:
    form = "lists of numbers of tokens, such as [[5], [7, 9]]" if key == WORDS else "numbers of tokens, such as [5, 7]"
    return UserError(f"{file} says under '{key}' something that is no list of {form}; write that, or take the key out.")
