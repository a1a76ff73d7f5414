"""Translate token sequences with greedy or beam search, sorted by length, in the order given.

A batch holds sentences of similar length, so there is little padding. Both searches follow the configuration's
`decoding` and what the model forbids. Nothing else that a checkpoint says about generation counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache
from torch import nn

from mtpeft.core.machine_failures import is_out_of_memory
from mtpeft.core.options import DecodingOptions
from mtpeft.data.token_arrays import cut
from mtpeft.decoding.beam import beam_search
from mtpeft.decoding.greedy import greedy_search
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.models.computation import inference_in
from mtpeft.models.special_tokens import SpecialTokens

EXTRA_TOKENS = 10
"""Tokens that a hypothesis may have beyond `max_length_ratio` times those of its source."""
BATCH_TOKENS = {"cpu": 4096, "cuda": 16384}
"""Padded source tokens of a batch, each counted once per beam, by device; they change the time, not the result.

A processor's caches hold what one layer of a small model makes of so many tokens; with four times as many, decoding
with the default study's student takes 1.6 times as long.
"""


def length_limits(options: DecodingOptions, lengths: np.ndarray, special_tokens: SpecialTokens) -> np.ndarray:
    """Return the most tokens of each hypothesis, without those that begin and end it.

    Args:
        options: how hypotheses are searched.
        lengths: tokens of each source, shape (sources).
        special_tokens: special tokens of the model.
    """
    by_ratio = (options.max_length_ratio * (lengths - special_tokens.around_source)).astype(np.int64) + EXTRA_TOKENS
    return np.minimum(by_ratio, special_tokens.max_length - 1) + 1 - max(1, len(special_tokens.begin))


def count_at_limit(
    options: DecodingOptions, hypotheses: Sequence[Sequence[int]], lengths: np.ndarray, special_tokens: SpecialTokens
) -> int:
    """Count the hypotheses that were ended by their length limit, for sources of these lengths."""
    return int(
        (np.array([len(tokens) for tokens in hypotheses]) >= length_limits(options, lengths, special_tokens)).sum()
    )


def with_room_beside_prefix(special_tokens: SpecialTokens, model: nn.Module) -> SpecialTokens:
    """Shorten the longest sequence of a model by the positions that a trained prefix of the target takes."""
    return replace(special_tokens, max_length=special_tokens.max_length - target_prefix_length(model))


Search = Callable[[Sequence[torch.Tensor], np.ndarray], list[list[int]]]
"""Finds the hypotheses of a batch, given its sources and the limit of each."""


def translate(
    model: nn.Module,
    sources: Sequence[torch.Tensor],
    options: DecodingOptions,
    *,
    special_tokens: SpecialTokens,
    batch_tokens: int | None = None,
    poll: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """Return the hypothesis of each source, as tokens without the special ones at its ends.

    Args:
        model: in evaluation mode.
        sources: sequences with their special tokens.
        options: how hypotheses are searched.
        special_tokens: special tokens of the model, for the target language.
        batch_tokens: padded source tokens of a batch, each counted once per beam; None for those of the device.
        poll: is called before each batch, and may raise what stops the translation.
    """
    special_tokens = with_room_beside_prefix(special_tokens, model)
    return search_in_batches(
        search_with(model, options, special_tokens=special_tokens),
        sources,
        options,
        special_tokens=special_tokens,
        batch_tokens=batch_tokens or BATCH_TOKENS[model.device.type],
        poll=poll,
    )


def search_with(model: nn.Module, options: DecodingOptions, *, special_tokens: SpecialTokens) -> Search:
    """Return our own search with a model in evaluation mode."""
    return partial(_search, model, options=options, special_tokens=special_tokens)


def search_in_batches(
    search: Search,
    sources: Sequence[torch.Tensor],
    options: DecodingOptions,
    *,
    special_tokens: SpecialTokens,
    own_lengths: np.ndarray | None = None,
    batch_tokens: int = BATCH_TOKENS["cpu"],
    poll: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """Return the hypothesis of each source, found batch by batch; a batch that memory does not suffice for is halved.

    Args:
        search: finds the hypotheses of a batch.
        sources: sequences with their special tokens.
        options: how hypotheses are searched.
        special_tokens: special tokens of the model, whose longest sequence has room for a trained prefix beside it.
        own_lengths: tokens of each source that limit its hypothesis; None for all.
        batch_tokens: padded source tokens of a batch, each counted once per beam.
        poll: is called before each batch, and may raise what stops the translation.
    """
    lengths = np.array([len(source) for source in sources])
    hypotheses: list[list[int]] = [[]] * len(sources)
    limits = length_limits(options, lengths if own_lengths is None else own_lengths, special_tokens)
    for rows in cut(np.arange(len(sources)), lengths, batch_tokens // options.beam_size):
        poll()
        found = _search_in_memory(search, [sources[row] for row in rows], limits[rows])
        for row, tokens in zip(rows, found, strict=True):
            hypotheses[row] = tokens
    return hypotheses


def _search_in_memory(search: Search, sources: Sequence[torch.Tensor], limits: np.ndarray) -> list[list[int]]:
    """Return the hypotheses of a batch, or of its halves one after the other where memory does not suffice for all.

    Raises:
        torch.OutOfMemoryError: one sentence alone is too much; on a CPU it is a RuntimeError.
    """
    try:
        return search(sources, limits)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(sources) == 1:
            raise
    # Nothing refers to the tensors that were too large from here on.
    clear_device_cache(garbage_collection=True)
    half = len(sources) // 2
    halves = ((sources[:half], limits[:half]), (sources[half:], limits[half:]))
    return [tokens for half in halves for tokens in _search_in_memory(search, *half)]


@torch.inference_mode()
def _search(
    model: nn.Module,
    sources: Sequence[torch.Tensor],
    limits: np.ndarray,
    *,
    options: DecodingOptions,
    special_tokens: SpecialTokens,
) -> list[list[int]]:
    found: list[list[int]] = [[]] * len(sources)
    with inference_in(options.precision, model.device):
        for rows in _read_together(model, sources, limits):
            own, most = [sources[row] for row in rows], torch.from_numpy(limits[rows])
            if options.beam_size == 1:
                hypotheses = greedy_search(model, own, most, special_tokens=special_tokens)
            else:
                hypotheses = beam_search(model, own, most, options, special_tokens=special_tokens)
            for row, tokens in zip(rows, hypotheses, strict=True):
                found[row] = tokens
    return found


def _read_together(model: nn.Module, sources: Sequence[torch.Tensor], limits: np.ndarray) -> list[np.ndarray]:
    """Return the rows that can be padded to one length: all of them, or those of one length apart.

    Padding of a causal model stands between the vectors of a method and the text. A sliding window counts it, so that
    rows whose window ends before these vectors must have none.
    """
    lengths, prefix = np.array([len(source) for source in sources]), target_prefix_length(model)
    window = getattr(model.config, "sliding_window", None)
    if not prefix or window is None or prefix + lengths.max() + limits.max() <= window:
        return [np.arange(len(sources))]
    return [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
