"""Add letters to the files of a tokenizer whose vocabulary lacks them, so that words with them are no longer unknown.

A letter is a piece of its own, with the lowest score that any piece has: text without new letters is cut as before.
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import write_text
from mtpeft.core.wording import listed
from mtpeft.models.families import read_json
from mtpeft.models.sentencepiece_models import VOCABULARY, WORD_START, read_model, sentencepiece_files

Row = tuple[int, ...]
"""Entries whose rows have the mean with which the row of a new one begins."""


def add_letters(folder: Path, letters: str, *, key: str, first: int) -> list[Row]:
    """Add letters to the tokenizer in a folder; return the entries that the row of each begins as.

    The row of a letter begins as that of the letter without its marks, as `r` for `ř`; that of one that has none, as
    that of unknown words, which it was read as before.

    Args:
        folder: of a model whose tokenizer is made of sentencepiece models and a vocab.json.
        letters: new characters.
        key: of the configuration, for messages.
        first: number of the first new entry.

    Raises:
        UserError: the tokenizer is of another kind, knows one of the letters, or reads it as another one.
    """
    files, vocabulary = sentencepiece_files(folder), read_json(folder / VOCABULARY)
    if not files or not vocabulary:
        raise UserError(
            f"'{key}': letters can be added to vocabularies that are models of sentencepiece with a vocab.json, as "
            "those of Marian and of students are; this one is another kind."
        )
    if len(vocabulary) != first:
        raise UserError(
            f"'{key}': the vocabulary has {len(vocabulary)} entries and the model {first}; letters can be added where "
            "both are the same, and not where tokens for languages stand behind it."
        )
    mistakes = list(_mistakes(files, letters, vocabulary))
    if mistakes:
        raise UserError(f"'{key}': " + "; ".join(mistakes) + ".")
    for file in files:
        file.write_bytes(_with_letters(file, letters))
    added = {letter: first + place for place, letter in enumerate(letters)}
    write_text(folder / VOCABULARY, json.dumps({**vocabulary, **added}, ensure_ascii=False) + "\n")
    return [(_stand_in(letter, vocabulary),) for letter in letters]


def _mistakes(files: list[Path], letters: str, vocabulary: Mapping[str, int]) -> Iterator[str]:
    """Find letters that are known already, and those that sentencepiece turns into others before it reads them."""
    from sentencepiece import SentencePieceProcessor

    known = [letter for letter in letters if letter in vocabulary]
    if known:
        yield f"the vocabulary has {listed(known)} already; take them out"
    for processor in (SentencePieceProcessor(model_file=str(file)) for file in files):
        read = {letter: processor.normalize(letter).strip(WORD_START) for letter in letters}
        others = [f"'{letter}' as '{found}'" for letter, found in read.items() if found != letter]
        if others:
            yield f"the vocabulary reads {', '.join(others)}; write what it reads"
            return


def _with_letters(file: Path, letters: str) -> bytes:
    """Return a model of sentencepiece with letters after its last piece."""
    model = read_model(file)
    lowest = min(piece.score for piece in model.pieces)
    for letter in letters:
        model.pieces.add(piece=letter, score=lowest, type=model.SentencePiece.NORMAL)
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def _stand_in(letter: str, vocabulary: Mapping[str, int]) -> int:
    """Return the entry of a letter without its marks, or that of unknown words."""
    plain = unicodedata.normalize("NFD", letter)[0]
    return vocabulary.get(plain, vocabulary["<unk>"])
