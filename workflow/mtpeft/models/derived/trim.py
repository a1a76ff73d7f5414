"""Trim the vocabulary of a base model to the tokens that some text needs and to the most frequent ones.

A model of many languages spends much of its memory, and much of its time in the softmax, on tokens that no text of a
study has. All special tokens stay, and all tokens of one character, into which others can fall apart; then those that
the text needs; then the first ones of the vocabulary, which sentencepiece and byte pair encoding number from the most
frequent on. Abdaoui et al. 2020 (arXiv 2010.05609) trim multilingual BERT so.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import new_folder, read_record, sha256_of, write_record
from mtpeft.models.derived import ModelSource
from mtpeft.models.entries import copy_with_entries
from mtpeft.models.families import family_in, read_json, require_encoder
from mtpeft.models.local import GENERATION, record_folder
from mtpeft.models.special_tokens import NOT_FIRST, NOWHERE, WORDS
from mtpeft.models.tokenizer import TOKENIZER_FILES, load_tokenizer, names_in
from mtpeft.models.trimmed_tokenizer import BYTE, parts_finder, single_characters, write_trimmed

TRIM = ModelSource(name="trim", folder="trimmed")
TOKEN = "_token_id"
"""End of the names of keys that hold the number of a token, or several."""
BY_OLD_NUMBERS = ("forced_decoder_ids", "force_words_ids", "sequence_bias")
"""Keys that hold numbers of tokens in other forms. They are emptied, since the workflow's own search reads none."""
NO_TOKEN = "\0"
"""Begins the name of a number that no token has."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model.

    Attributes:
        tokens: all of them, by their numbers.
        special: those that are no text, such as the end of a sentence, and the names of languages.
    """

    tokens: tuple[str, ...]
    special: frozenset[str]


def trim_model(
    params: Mapping[str, Any], *, base: Path, counts: Mapping[int, int], texts: Sequence[Path], record: Path
) -> None:
    """Write the trimmed model into `trimmed/`, and its `base.json` beside that.

    Args:
        params: `entries`, the number that the vocabulary then has.
        base: `base.json` of the model.
        counts: how often each token stands in the text that the model is for.
        texts: files of that text, whose hashes stand in the record.
        record: `base.json` of the trimmed model.

    Raises:
        UserError: there are not so many entries, the text needs more, or the tokenizer is of a kind that can't be cut.
    """
    origin = read_record(base)
    folder, target = Path(origin["folder"]), record.parent / str(TRIM.folder)
    key = f"models.{label_of(record.parent.name)}.trim.entries"
    require_encoder(folder, key=key)
    vocabulary = read_vocabulary(folder)
    kept = kept_tokens(vocabulary, folder, counts, entries=params["entries"], key=key)
    with new_folder(target) as temporary:
        copy_trimmed(folder, temporary, kept, vocabulary=vocabulary)
        if list(read_vocabulary(temporary).tokens) != kept:
            raise UserError(
                f"'{key}': the tokenizer in {folder} can't be trimmed, since its class numbers its tokens in another "
                "way than its files say."
            )
    described = {
        "model": origin["model"],
        "base_sha256": sha256_of(base),
        "texts": {str(file): sha256_of(file) for file in texts},
        "total_parameters_before": origin["total_parameters"],
        "entries_before": len(vocabulary.tokens),
        "tokens_in_text": len(counts),
    }
    record_folder(params, target, key=key, record=record, origin=described, exposure=origin["exposure"])


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read the tokens of a model, with the names of languages that its tokenizer may not count among them.

    Raises:
        UserError: a file of the model names a special token that the tokenizer does not have.
    """
    family, tokenizer = family_in(folder), load_tokenizer(folder)
    names = map(family.token or str, names_in(family, tokenizer) or ())
    numbers = {*tokenizer.all_special_ids, *tokenizer.convert_tokens_to_ids(list(names))}
    known = {number: token for token, number in {**tokenizer.get_vocab(), **tokenizer.get_added_vocab()}.items()}
    known |= {number: tokenizer.convert_ids_to_tokens(number) for number in numbers - known.keys()}
    numbers |= {*tokenizer.get_added_vocab().values()}
    for file in ("config.json", GENERATION):
        named = set(_named_tokens(read_json(folder / file)))
        if unknown := sorted(named - known.keys()):
            raise UserError(
                f"{folder / file} names the token {unknown[0]}, which the tokenizer beside it does not have; so the "
                "vocabulary can't be trimmed. Correct the number."
            )
        numbers |= named
    tokens = tuple(known.get(number, f"{NO_TOKEN}{number}") for number in range(max(known) + 1))
    special = {tokens[number] for number in numbers} | {token for token in tokens if BYTE.fullmatch(token)}
    return Vocabulary(tokens, frozenset(special))


def kept_tokens(
    vocabulary: Vocabulary, folder: Path, counts: Mapping[int, int], *, entries: int, key: str
) -> list[str]:
    """Return the tokens that are kept, in their old order.

    Args:
        vocabulary: of the model.
        folder: of the model.
        counts: of the tokens in the text that they are kept for.
        entries: how many are kept.
        key: of the configuration, for messages.

    Raises:
        UserError: there are not so many, or the text needs more.
    """
    parts = parts_finder(folder)
    tokens = [token for token in vocabulary.tokens if not token.startswith(NO_TOKEN)]
    if entries > len(tokens):
        raise UserError(f"'{key}' is {entries}, but the vocabulary has {len(tokens)} entries; write fewer.")
    known = {*tokens}
    needed = {vocabulary.tokens[number] for number in counts} | single_characters(tokens)
    kept = vocabulary.special | {part for token in needed for part in parts(token)} & known
    if len(kept) > entries:
        raise UserError(f"'{key}' is {entries}, but the text and the special tokens need {len(kept)}; write that many.")
    others = [token for token in tokens if token not in kept]
    for token in others:
        more = (parts(token) & known) - kept
        if len(kept) + len(more) <= entries:
            kept |= more
    # A token whose parts have no room any more fills the last places, where no other one can.
    kept |= set([token for token in others if token not in kept][: entries - len(kept)])
    return [token for token in tokens if token in kept]


def copy_trimmed(folder: Path, target: Path, kept: Sequence[str], *, vocabulary: Vocabulary) -> None:
    """Copy a model into another folder with some of its entries alone.

    Args:
        folder: of the model.
        target: folder that exists.
        kept: tokens in the order of their new numbers.
        vocabulary: of the model.
    """
    import torch

    tokenizer_files = {file.name for pattern in TOKENIZER_FILES for file in folder.glob(pattern)}
    for file in filter(Path.is_file, folder.iterdir()):
        if file.name not in tokenizer_files and not file.name.endswith((".safetensors", ".safetensors.index.json")):
            shutil.copyfile(file, target / file.name)
    write_trimmed(load_tokenizer(folder), folder, target, kept)
    config, generation = (read_json(folder / name) for name in ("config.json", GENERATION))
    old = {token: number for number, token in enumerate(vocabulary.tokens)}
    rows = torch.tensor([old[token] for token in kept])
    new = {old[token]: number for number, token in enumerate(kept)}
    if generation:
        write_record(target / GENERATION, {**generation, **_renumbered(generation, new)})
    copy_with_entries(
        folder,
        target,
        lambda tensor, place: tensor.index_select(place, rows),
        entries=len(kept),
        keys=_renumbered(config, new),
    )


def _named_tokens(config: Mapping[str, Any]) -> Iterator[int]:
    """Yield the tokens that the keys of a config.json name, but for those that are only forbidden."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _named_tokens(value)
        elif key.endswith(TOKEN) and value is not None:
            yield from value if isinstance(value, list) else [value]


def _renumbered(config: Mapping[str, Any], new: Mapping[int, int]) -> dict[str, Any]:
    """Return the keys of a config.json that name tokens with their new numbers; what is gone need not be forbidden."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found[key] = {**value, **_renumbered(value, new)}
        elif key.endswith(TOKEN) and value is not None:
            found[key] = [new[token] for token in value] if isinstance(value, list) else new[value]
        elif key == WORDS and value:
            found[key] = [[new[token] for token in word] for word in value if new.keys() >= {*word}] or None
        elif key in (NOWHERE, NOT_FIRST) and value:
            found[key] = [new[token] for token in value if token in new] or None
        elif key in BY_OLD_NUMBERS and value:
            found[key] = None
    return found
