"""Translate token sequences: beam search with cache, sorted by length, in the order given.

The search itself is transformers' `generate`; a batch holds sentences of like length, so little is padded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mtpeft.tokens.arrays import PAD, padded
from mtpeft.training.batches import cut

EXTRA_TOKENS = 10


@dataclass(frozen=True)
class Search:
    """How hypotheses are searched; `beam_size` 1 is greedy. They end after `max_length_ratio` x source + 10 tokens."""

    beam_size: int
    length_penalty: float
    max_length_ratio: float


@torch.inference_mode()
def translate(
    model: nn.Module,
    sources: Sequence[torch.Tensor],
    search: Search,
    *,
    language_token: int,
    batch_tokens: int = 4096,
) -> list[list[int]]:
    """Hypothesis of each source, as tokens without the special ones at its ends.

    Args:
        model: sequence-to-sequence model in evaluation mode.
        sources: sequences with their special tokens.
        search: kind of search.
        language_token: first token of every hypothesis.
        batch_tokens: padded source tokens of a batch; it changes the time, not the result.
    """
    lengths = np.array([len(source) for source in sources])
    hypotheses: list[list[int]] = [[]] * len(sources)
    limit = model.config.max_position_embeddings - 1
    for rows in cut(np.arange(len(sources)), lengths, batch_tokens):
        input_ids = padded([sources[row] for row in rows], PAD).to(model.device)
        lengths_of_rows = lengths[rows]
        output = model.generate(
            input_ids=input_ids,
            attention_mask=(input_ids != PAD).long(),
            num_beams=search.beam_size,
            do_sample=False,
            length_penalty=search.length_penalty,
            early_stopping=False,
            forced_bos_token_id=language_token,
            max_new_tokens=min(limit, int(search.max_length_ratio * lengths_of_rows.max()) + EXTRA_TOKENS),
        )
        for row, length, tokens in zip(rows, lengths_of_rows, output.tolist(), strict=True):
            longest = min(limit, int(search.max_length_ratio * length) + EXTRA_TOKENS)
            hypotheses[row] = _inner(tokens[1 : 1 + longest], model.config.eos_token_id)
    return hypotheses


def _inner(tokens: list[int], end: int) -> list[int]:
    """Tokens between the language token and the end of the sentence."""
    return tokens[1 : tokens.index(end)] if end in tokens else tokens[1:]
