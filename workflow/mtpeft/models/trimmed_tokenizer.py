"""Take tokens out of the files of a tokenizer, so that text is cut into those that are left.

A unigram model of sentencepiece finds the best of the segmentations that are left (Kudo 2018, arXiv 1804.10959), and
byte pair encoding stops where the next merge is gone (Sennrich et al. 2016, arXiv 1508.07909). Text whose tokens are
all kept is cut as before.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record, write_text
from mtpeft.models.families import read_json
from mtpeft.models.sentencepiece_models import VOCABULARY, WORD_START, read_model, sentencepiece_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FAST = "tokenizer.json"
BYTE = re.compile("<0x[0-9A-F]{2}>")
"""A token for a byte, of which characters that the vocabulary does not have are made."""
Rank = Callable[[str, str], float | None]
"""Gives the place of a merge of two symbols in the order of merges, lowest first; None where there is no such merge."""


def single_characters(tokens: Collection[str]) -> set[str]:
    """Return the tokens of one character, with or without the mark of the beginning of a word, and that mark.

    While they are kept, a token that is cut falls apart and is never unknown.
    """
    return {token for token in tokens if len(token.removeprefix(WORD_START)) <= 1}


def parts_finder(folder: Path) -> Callable[[str], set[str]]:
    """Return a function that finds the tokens which byte pair encoding makes on its way to one, and itself.

    A token of a unigram model has no such parts.
    """
    rank = _rank_of(folder)
    return lambda token: {token} if rank is None else {token, *_merged(token, rank)}


def _merged(token: str, rank: Rank) -> Iterator[str]:
    """Apply the merges to the characters of a token; yields each symbol that is ever there."""
    symbols = list(token)
    yield from symbols
    while len(symbols) > 1:
        ranks = [rank(*pair) for pair in pairwise(symbols)]
        known = [own for own in ranks if own is not None]
        if not known:
            return
        place = ranks.index(min(known))
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
        yield symbols[place]


def _rank_of(folder: Path) -> Rank | None:
    """Return the order of merges of the tokenizer in a folder; None for one that has no merges.

    Raises:
        UserError: the files of the tokenizer are of a kind that can't be trimmed.
    """
    ranks = []
    for model in _sentencepiece_models(folder):
        if model.trainer_spec.model_type == model.trainer_spec.BPE:
            ranks.append({piece.piece: -piece.score for piece in model.pieces})
    if ranks:
        # Two sides have a model each; what either needs is kept.
        return lambda left, right: min((own[left + right] for own in ranks if left + right in own), default=None)
    described = read_json(folder / FAST).get("model", {})
    if "merges" not in described:
        return None
    order = {pair: float(place) for place, pair in enumerate(_pairs(described["merges"]))}
    return lambda left, right: order.get((left, right))


def _pairs(merges: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Return merges as pairs; older files have them as two words in a string."""
    for merge in merges:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        yield left, right


def write_trimmed(tokenizer: "PreTrainedTokenizerBase", folder: Path, target: Path, kept: Sequence[str]) -> None:
    """Write the files of a tokenizer with only some of its tokens.

    Args:
        tokenizer: as it is loaded from the folder.
        folder: of the tokenizer; nothing of it is changed.
        target: folder that exists, for the files.
        kept: all tokens that are kept, in the order of their new numbers.

    Raises:
        UserError: the files of the tokenizer are of a kind that can't be trimmed.
    """
    numbers = {token: number for number, token in enumerate(kept)}
    if tokenizer.is_fast:
        tokenizer.save_pretrained(target)
        _trim_fast(target, numbers)
        _renumber_added(target, numbers)
        return
    if not (folder / VOCABULARY).is_file() or not list(_sentencepiece_models(folder)):
        raise UserError(
            f"The tokenizer in {folder} has neither a tokenizer.json nor models of sentencepiece with a vocab.json, so "
            "its vocabulary can't be trimmed."
        )
    tokenizer.save_pretrained(target)
    vocabulary = read_json(target / VOCABULARY)
    own = {token: number for token, number in numbers.items() if token in vocabulary}
    # In the order of their numbers, since that is how some tokenizers number what they add.
    write_text(target / VOCABULARY, json.dumps(own, ensure_ascii=False) + "\n")
    for file in sentencepiece_files(target):
        file.write_bytes(_trimmed_model(file, numbers, vocabulary.keys()))
    _renumber_added(target, numbers)


def _sentencepiece_models(folder: Path) -> Iterator[Any]:
    for file in sentencepiece_files(folder):
        yield read_model(file)


def _trimmed_model(file: Path, numbers: Mapping[str, int], whole: Collection[str]) -> bytes:
    """Return a model of sentencepiece without the pieces that are gone, in the order of the numbers of the others.

    Pieces that the whole vocabulary does not have, which read as unknown words, stay, so that text is cut as before.
    """
    model = read_model(file)
    pieces = list(model.pieces)
    marks = [piece for piece in pieces if piece.type in (piece.CONTROL, piece.UNKNOWN, piece.BYTE)]
    words = [piece for piece in pieces if piece.type not in (piece.CONTROL, piece.UNKNOWN, piece.BYTE)]
    kept = [piece for piece in words if piece.piece in numbers or piece.piece not in whole]
    del model.pieces[:]
    model.pieces.extend([*marks, *sorted(kept, key=lambda piece: numbers.get(piece.piece, len(numbers)))])
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def _trim_fast(folder: Path, numbers: Mapping[str, int]) -> None:
    """Take tokens out of a tokenizer.json."""
    content = read_json(folder / FAST)
    model = content["model"]
    if model["type"] == "Unigram":
        unknown = model["vocab"][model["unk_id"]][0] if model.get("unk_id") is not None else None
        own = [entry for entry in model["vocab"] if entry[0] in numbers]
        model["vocab"] = sorted(own, key=lambda entry: numbers[entry[0]])
        names = [entry[0] for entry in model["vocab"]]
        model["unk_id"] = names.index(unknown) if unknown is not None else None
    elif model["type"] == "BPE":
        model["vocab"] = {token: numbers[token] for token in model["vocab"] if token in numbers}
        merges = _pairs(model["merges"])
        model["merges"] = [list(pair) for pair in merges if {*pair, "".join(pair)} <= model["vocab"].keys()]
    else:
        raise UserError(
            f"{folder / FAST} has a model of the type '{model['type']}', whose vocabulary can't be trimmed; only "
            "'Unigram' and 'BPE' are supported."
        )
    for token in content.get("added_tokens", []):
        token["id"] = numbers[token["content"]]
    content["post_processor"] = _renumbered(content.get("post_processor"), numbers)
    write_text(folder / FAST, json.dumps(content, ensure_ascii=False) + "\n")


def _renumber_added(folder: Path, numbers: Mapping[str, int]) -> None:
    """Give the tokens that were added to a tokenizer, special ones above all, their new numbers in its small files."""
    described = read_json(folder / "tokenizer_config.json")
    if added := described.get("added_tokens_decoder"):
        described["added_tokens_decoder"] = {str(numbers[own["content"]]): own for own in added.values()}
    write_record(folder / "tokenizer_config.json", described)
    if added := read_json(folder / "added_tokens.json"):
        write_record(folder / "added_tokens.json", {token: numbers[token] for token in added})


def _renumbered(processor: Any, numbers: Mapping[str, int]) -> Any:
    """Return what puts special tokens around a sentence with their new numbers."""
    if isinstance(processor, list):
        if len(processor) == 2 and isinstance(processor[0], str) and isinstance(processor[1], int):
            return [processor[0], numbers[processor[0]]]
        return [_renumbered(part, numbers) for part in processor]
    if not isinstance(processor, dict):
        return processor
    if {"ids", "tokens"} <= processor.keys():
        return {**processor, "ids": [numbers[token] for token in processor["tokens"]]}
    return {key: _renumbered(part, numbers) for key, part in processor.items()}
