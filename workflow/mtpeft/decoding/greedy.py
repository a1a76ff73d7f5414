"""Greedy search with a key-value cache, in which a sentence that has ended leaves its batch.

Transformers' `generate` computes ended sentences until the longest one ends, so that most of the work of a batch is for
sentences that are done.
"""

from itertools import count

import torch
from torch import nn

from mtpeft.decoding.logits_processors import forbid_tokens
from mtpeft.models.special_tokens import SpecialTokens

ENDED = 8
"""Finished rows are dropped once at least 1/8 of the batch has finished, because dropping copies the cache."""


def greedy_search(
    model: nn.Module, input_ids: torch.Tensor, limits: torch.Tensor, *, special_tokens: SpecialTokens
) -> list[list[int]]:
    """Choose the most probable next token until a sentence ends, or until its limit.

    Args:
        model: sequence-to-sequence model in evaluation mode.
        input_ids: padded sources, shape (batch, length).
        limits: most tokens of each hypothesis without those that it begins with, shape (batch).
        special_tokens: special tokens of the model, for the target language.

    Returns:
        The tokens after those that every hypothesis begins with, without the one that ends the sentence.
    """
    hypotheses: list[list[int]] = [[] for _ in limits]
    rows, goes_on = torch.arange(len(limits)), torch.ones(len(limits), dtype=torch.bool)
    mask = (input_ids != special_tokens.pad).long()
    begin = torch.tensor([special_tokens.begin], device=input_ids.device)
    output = model(
        input_ids=input_ids, attention_mask=mask, decoder_input_ids=begin.expand(len(rows), -1), use_cache=True
    )
    forbid, written = forbid_tokens(special_tokens, input_ids.device), begin.expand(len(rows), -1)
    encoded, cache = output.encoder_last_hidden_state, output.past_key_values
    for length in count(1):
        chosen = forbid(written, output.logits[:, -1]).argmax(-1)
        written, tokens = torch.cat([written, chosen[:, None]], dim=1), chosen.cpu()
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            hypotheses[row].append(token)
        goes_on &= (tokens != special_tokens.end) & (length < limits[rows])
        if not goes_on.any():
            break
        if ENDED * int((~goes_on).sum()) >= len(rows):
            kept = goes_on.nonzero().flatten()
            rows, goes_on = rows[kept], goes_on[kept]
            kept = kept.to(input_ids.device)
            mask, encoded, written = mask[kept], encoded[kept], written[kept]
            cache.batch_select_indices(kept)
        output = model(
            encoder_outputs=(encoded,),
            attention_mask=mask,
            decoder_input_ids=written[:, -1:],
            past_key_values=cache,
            use_cache=True,
        )
    return [
        before_end(tokens[:limit], special_tokens.end)
        for tokens, limit in zip(hypotheses, limits.tolist(), strict=True)
    ]


def before_end(tokens: list[int], end: int) -> list[int]:
    """Return the tokens before the first one that ends a sentence."""
    return tokens[: tokens.index(end)] if end in tokens else tokens
