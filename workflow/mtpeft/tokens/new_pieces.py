"""Learn new vocabulary entries from text: sequences of a tokenizer's own pieces that are frequent in it."""

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import sentencepiece

from mtpeft.errors import UserError
from mtpeft.models.describe import SENTENCEPIECE_SPECIALS

FIRST_CHARACTER = 0x20000
"""Where a plane of Unicode begins in which all characters are of one script, and none is normalised."""
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"
BETWEEN_WORDS = "|"
LONGEST = 16
"""Most known pieces in a new one."""


def learn_pieces(rows: Sequence[Sequence[int]], spelling: Sequence[str], *, entries: int) -> list[tuple[int, ...]]:
    """The most useful sequences of pieces, by byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909) in
    sentencepiece, where each known piece counts as a character and no new one spans two words.

    Args:
        rows: sentences in the tokenizer's ids, without special tokens.
        spelling: the tokenizer's pieces, of which those that begin a word start with sentencepiece's mark.
        entries: how many new pieces.

    Raises:
        UserError: the text does not have so many.
    """
    seen = sorted({token for row in rows for token in row})
    character = {token: chr(FIRST_CHARACTER + place) for place, token in enumerate(seen)}
    piece_of = {own: token for token, own in character.items()}
    words = (_words([spelling[token].startswith(WORD_START) for token in row]) for row in rows)
    sentences = [
        BETWEEN_WORDS.join("".join(character[token] for token in row[first:last]) for first, last in places)
        for row, places in zip(rows, words, strict=True)
        if row
    ]
    model = BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=SENTENCEPIECE_SPECIALS + len(seen) + entries,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentencepiece_length=LONGEST,
            pretokenization_delimiter=BETWEEN_WORDS,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(
            f"{entries} new pieces can't be learnt from {len(rows)} sentences; write a smaller number in "
            f"'extend.pieces.entries' (sentencepiece: {str(error).strip()})."
        ) from error
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    learnt = map(processor.id_to_piece, range(SENTENCEPIECE_SPECIALS, processor.get_piece_size()))
    return [tuple(piece_of[own] for own in piece) for piece in learnt if len(piece) > 1]


def _words(begins: Sequence[bool]) -> list[tuple[int, int]]:
    """First place of each word, and the place after its last one."""
    firsts = [place for place, is_first in enumerate(begins) if is_first or not place]
    return list(pairwise([*firsts, len(begins)]))
