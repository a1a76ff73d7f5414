"""The folder of a model for the engines of browsers: what Bergamot and its kin read beside the weights.

They multiply int8 matrices whose rows come in eights, take the words to choose from out of a lexical shortlist, and cut
text by a vocabulary of sentencepiece or by the same as a `tokenizer.json`.
"""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.core.files import write_text
from mtpeft.models.marian_conversion import OUTPUT_BIAS
from mtpeft.models.marian_files import EMBEDDINGS, MarianModel, write_int8, write_marian
from mtpeft.models.sentencepiece_models import WORD_START, read_model

FLOATS, INT8 = "model.npz", "model.intgemm.alphas.bin"
VOCABULARY, TOKENIZER, SHORTLIST, SETTINGS = "vocab.spm", "tokenizer.json", "lex.all.bin", "config.intgemm8bitalpha.yml"
ROWS = 8
"""Engines compute so many entries of the vocabulary at once, so there must be a multiple of it."""
NEVER = -1e4
"""Bias of the logit of an entry that fills up the vocabulary and must not be chosen; its score in the vocabulary."""
UNSEEN = "\0"
"""Begins the name of a piece that no text has."""
SHORTLIST_MAGIC = 0xF11A48D5013417F5
HASH_STEP = 0x9E3779B9


def write_engine_folder(
    model: MarianModel, folder: Path, *, vocabulary: Path, activations: Mapping[str, float]
) -> None:
    """Write the weights in 32-bit floats and in int8, the vocabulary in two forms, a shortlist, and the settings.

    Args:
        model: in 32-bit floats.
        folder: folder that exists.
        vocabulary: the sentencepiece model, whose pieces are numbered as the entries of the model are.
        activations: the largest absolute value of the inputs of each matrix, by Marian's names.
    """
    own = read_model(vocabulary)
    filled = fill_up(model)
    for number in range(len(own.pieces), len(filled.weights[EMBEDDINGS])):
        own.pieces.add(piece=f"<unused{number}>", score=NEVER, type=own.SentencePiece.UNUSED)
    own.trainer_spec.vocab_size = len(own.pieces)
    (folder / VOCABULARY).write_bytes(own.SerializeToString())
    write_marian(filled, folder / FLOATS)
    write_int8(filled, folder / INT8, activations)
    write_text(folder / TOKENIZER, json.dumps(tokenizer_json(own), ensure_ascii=False) + "\n")
    (folder / SHORTLIST).write_bytes(shortlist_of_all(len(own.pieces)))
    write_text(folder / SETTINGS, SETTINGS_TEXT)


SETTINGS_TEXT = f"""\
relative-paths: true
models: [{INT8}]
vocabs: [{VOCABULARY}, {VOCABULARY}]
shortlist: [{SHORTLIST}, false]
beam-size: 1
normalize: 1.0
word-penalty: 0
max-length-factor: 2.5
gemm-precision: int8shiftAlphaAll
"""
"""Settings of Bergamot's engine."""


def fill_up(model: MarianModel) -> MarianModel:
    """Return a model with entries that are never chosen, so that their number is a multiple of `ROWS`."""
    embeddings, bias = model.weights[EMBEDDINGS], model.weights[OUTPUT_BIAS]
    lacking = -len(embeddings) % ROWS
    more = {
        EMBEDDINGS: np.concatenate([embeddings, np.zeros((lacking, embeddings.shape[1]), np.float32)]),
        OUTPUT_BIAS: np.concatenate([bias, np.full((1, lacking), NEVER, np.float32)], 1),
    }
    entries = len(embeddings) + lacking
    return replace(
        model, options={**model.options, "dim-vocabs": [entries, entries]}, weights={**model.weights, **more}
    )


def tokenizer_json(vocabulary: Any) -> dict[str, Any]:
    """Return a unigram model of sentencepiece in the form of the library `tokenizers`."""
    charsmap = base64.b64encode(vocabulary.normalizer_spec.precompiled_charsmap).decode()
    words = {"type": "Metaspace", "replacement": WORD_START, "prepend_scheme": "always", "split": True}
    # Sentencepiece finds no control piece in text, so that `</s>` is four characters; here it would be found by name.
    marks = (vocabulary.SentencePiece.CONTROL, vocabulary.SentencePiece.UNKNOWN)
    pieces = [[UNSEEN * (piece.type in marks) + piece.piece, piece.score] for piece in vocabulary.pieces]
    unknown = next(number for number, piece in enumerate(vocabulary.pieces) if piece.type == piece.UNKNOWN)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                *([{"type": "Precompiled", "precompiled_charsmap": charsmap}] if charsmap else []),
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
                {"type": "Strip", "strip_left": True, "strip_right": True},
            ],
        },
        "pre_tokenizer": words,
        "post_processor": None,
        "decoder": words,
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": False},
    }


def shortlist_of_all(entries: int) -> bytes:
    """Return a lexical shortlist that leaves every entry to choose from, as the cell has it.

    A shortlist is a magic number, a checksum, the number of first entries that are always there, that of candidates
    of each source word, the offsets of the lists of candidates, and the lists (bergamot-translator, `shortlist.h`).
    """
    offsets = [0] * (entries + 1)
    content = struct.pack(f"<4Q{len(offsets)}Q", entries, 0, len(offsets), 0, *offsets)
    return struct.pack("<2Q", SHORTLIST_MAGIC, _checksum(content)) + content


def _checksum(content: bytes) -> int:
    """Return Marian's hash of some 64-bit numbers."""
    seed = 0
    for (value,) in struct.iter_unpack("<Q", content):
        seed ^= (value + HASH_STEP + (seed << 6) + (seed >> 2)) % 2**64
    return seed
