"""CTranslate2 as an engine: a model without adapters is converted, and translates the test sets in fewer seconds.

Greedy search finds what ours finds. Beam search goes through the same hypotheses but ends after so many finished ones,
where ours looks at scores; it takes forbidden tokens out before it normalises probabilities, and ends at a limit
without an end token. So it may choose another hypothesis; `performance.md` says how often it did.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from mtpeft.core.errors import UserError
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.ctranslate2_model import (
    COMPUTED,
    NumberedTokens,
    SearchArguments,
    convert_to_ctranslate2,
    require_ctranslate2,
    search_arguments,
    vocabulary_in,
)
from mtpeft.decoding.search import Search
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer

if TYPE_CHECKING:
    from ctranslate2 import Translator
    from transformers import PreTrainedModel

PATIENCE = 3.0
"""Finished hypotheses as a multiple of beams, after which beam search ends. With 1, the default of CTranslate2, it ends
before ours does, and with more than 3 it finds no more of what ours finds."""
ASKED, INSTEAD = "'decoding.engine' is 'ctranslate2'", "take 'decoding.engine' out"


def open_engine(
    model: "PreTrainedModel",
    options: DecodingOptions,
    *,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    bits: int | None,
    device: torch.device,
    threads: int,
    scratch: Path,
) -> Search:
    """Convert a model without adapters and return the search of CTranslate2 with it.

    Args:
        model: of transformers, in main memory.
        options: how hypotheses are searched.
        tokenizer: of the model.
        special_tokens: special tokens of the model, for the target language.
        bits: of a weight; None for 32-bit floats.
        device: that the engine runs on.
        threads: of the engine.
        scratch: a folder in which the converted model lies until it is read.

    Raises:
        UserError: CTranslate2 is not installed, can't convert or search with such a model, or does not run on this
            device.
    """
    require_ctranslate2(ASKED, instead=INSTEAD)
    from ctranslate2 import Translator

    entries, unknown = model.config.vocab_size, tokenizer.pretrained.unk_token_id
    tokens = NumberedTokens(entries, special_tokens.pad, special_tokens.end, unknown=unknown)
    family = tokenizer.family
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch, prefix=".ctranslate2.") as temporary:
        folder = Path(temporary) / "model"
        convert_to_ctranslate2(model, tokens, folder, family=family, instead=INSTEAD, bits=bits)
        given = search_arguments(special_tokens, vocabulary_in(folder), family=family, instead=INSTEAD)
        try:
            translator = Translator(str(folder), device.type, compute_type=COMPUTED[bits], intra_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"CTranslate2 does not run on this machine's {device.type} ({error}); {INSTEAD}."
            ) from error
    return partial(_search, translator, tokens, options, given)


def _search(
    translator: "Translator",
    tokens: NumberedTokens,
    options: DecodingOptions,
    given: SearchArguments,
    sources: Sequence[torch.Tensor],
    limits: np.ndarray,
) -> list[list[int]]:
    """Search batch by batch; a call has one limit of length, so sentences with the same one share it."""
    found: list[list[int]] = [[]] * len(sources)
    for limit in np.unique(limits):
        rows = np.flatnonzero(limits == limit)
        output = translator.translate_batch(
            [[tokens.names[token] for token in sources[row].tolist()] for row in rows],
            target_prefix=[list(given.prefix)] * len(rows) if given.prefix else None,
            beam_size=options.beam_size,
            patience=PATIENCE,
            length_penalty=options.length_penalty,
            suppress_sequences=list(map(list, given.suppressed)),
            max_input_length=0,
            max_decoding_length=int(limit) + given.repeated,
            return_end_token=True,  # so that the length by which a score is divided counts it, as ours does
        )
        for row, own in zip(rows, output, strict=True):
            words = own.hypotheses[0][given.repeated :]
            found[row] = [int(word) for word in words if word != tokens.eos_token]
    return found
