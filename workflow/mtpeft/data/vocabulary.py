"""A joint sentencepiece vocabulary, saved as the tokenizer of an mBART model."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from mtpeft.core import compat
from mtpeft.core.checksums import FOLDER_RECORD, checksums_in
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of, write_record
from mtpeft.data.tsv import read_pairs
from mtpeft.models.derived.pretrain import vocabulary_size
from mtpeft.models.families.mbart import MBART50_CODES, extra_codes
from mtpeft.models.families.vocabulary import SENTENCEPIECE_SPECIALS

COVERAGE = 0.9995
"""Share of the text's characters that get an entry; the others become <unk>."""


def train_vocabulary(params: Mapping[str, Any], *, parts: Sequence[Path], folder: Path) -> None:
    """Train a joint unigram vocabulary (Kudo 2018, arXiv 1804.10959) on both sides of some text.

    The tokenizer is saved with a record of its files. Every distinct sentence counts once. There is one thread, since
    the number of threads changes the result.

    Args:
        params: `size`, number of pieces, and `languages`, which get a language token each.
        parts: texts of pairs.
        folder: where the tokenizer goes.

    Raises:
        UserError: the text is too small for a vocabulary of this size.
    """
    rows = [row for part in parts for row in read_pairs(part)]
    sentences = sorted({row.source for row in rows} | {row.target for row in rows})
    folder.mkdir(parents=True, exist_ok=True)
    prefix = folder / "sentencepiece"
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_prefix=str(prefix),
            model_type="unigram",
            vocab_size=params["size"],
            character_coverage=COVERAGE,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(
            f"A vocabulary of {params['size']} pieces can't be learnt from {len(sentences)} sentences; "
            f"write another number in 'pretrain.vocabulary' (sentencepiece: {str(error).strip()})."
        ) from error
    model = prefix.with_suffix(".model")
    save_tokenizer(model, params["languages"], folder=folder)
    model.unlink()
    prefix.with_suffix(".vocab").unlink()
    made = checksums_in(folder, beside=folder / FOLDER_RECORD)
    content = {"params": dict(params), "inputs": [sha256_of(part) for part in parts], "made": made}
    write_record(folder / FOLDER_RECORD, content)


def save_tokenizer(model: Path, languages: Iterable[str], *, folder: Path) -> None:
    """Save a sentencepiece model as an `MBart50Tokenizer`: special tokens first, language tokens and <mask> last."""
    languages = list(languages)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.read_bytes())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces][SENTENCEPIECE_SPECIALS:]
    specials = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    codes = [(code, 0.0) for code in (*MBART50_CODES, *extra_codes(languages))]
    tokenizer = compat.mbart50_tokenizer(
        [*specials, *pieces, *codes, ("<mask>", 0.0)],
        normalisation=proto.normalizer_spec.precompiled_charsmap,
        extra_tokens=extra_codes(languages),
    )
    if len(tokenizer) != vocabulary_size(len(proto.pieces), languages):
        raise AssertionError(f"the tokenizer has {len(tokenizer)} entries, which is not what its parts add up to")
    tokenizer.save_pretrained(folder)
