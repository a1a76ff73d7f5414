"""Translate token sequences, sorted by length, in the order given.

A batch holds sentences of like length, so little is padded. Greedy search is our own, beam search is that of
transformers' `generate`. Both obey one description: the configuration's `decoding`, and what the model forbids. Nothing
else that a checkpoint says about generating counts.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache
from torch import nn

from mtpeft.core.failures import is_out_of_memory
from mtpeft.data.token_arrays import cut, padded
from mtpeft.decoding.greedy import before_end, greedy_search
from mtpeft.decoding.logits_processors import EndAtLimit, forbid_tokens
from mtpeft.methods.sequence_prefix_adapter import target_prefix_length
from mtpeft.models.special_tokens import Frame

EXTRA_TOKENS = 10


@dataclass(frozen=True)
class Search:
    """How hypotheses are searched; `beam_size` 1 is greedy. They end after `max_length_ratio` x source + 10 tokens."""

    beam_size: int
    length_penalty: float
    max_length_ratio: float

    def limits(self, lengths: np.ndarray, frame: Frame) -> np.ndarray:
        """Most tokens of a hypothesis, without those that begin and end it, for sources of these lengths."""
        by_ratio = (self.max_length_ratio * lengths).astype(np.int64) + EXTRA_TOKENS
        return np.minimum(by_ratio, frame.longest - 1) + 1 - len(frame.begin)

    def at_limit(self, hypotheses: Sequence[Sequence[int]], lengths: np.ndarray, frame: Frame) -> int:
        """How many hypotheses have not ended by themselves, for sources of these lengths."""
        return int((np.array([len(tokens) for tokens in hypotheses]) >= self.limits(lengths, frame)).sum())


def with_room_beside_prefix(frame: Frame, model: nn.Module) -> Frame:
    """A frame with the room that a model leaves for hypotheses: trained positions before the target take some."""
    return replace(frame, longest=frame.longest - target_prefix_length(model))


@torch.inference_mode()
def translate(
    model: nn.Module,
    sources: Sequence[torch.Tensor],
    search: Search,
    *,
    frame: Frame,
    batch_tokens: int = 16384,
    look: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """Hypothesis of each source, as tokens without the special ones at its ends.

    Args:
        model: sequence-to-sequence model in evaluation mode.
        sources: sequences with their special tokens.
        search: kind of search.
        frame: of the model and the target language.
        batch_tokens: padded source tokens of a batch, each counted once per beam; they change the time, not the result.
            A batch that memory does not suffice for is cut in halves.
        look: is called before each batch, and may end everything with an error of its own.
    """
    frame = with_room_beside_prefix(frame, model)
    lengths = np.array([len(source) for source in sources])
    hypotheses: list[list[int]] = [[]] * len(sources)
    limits = search.limits(lengths, frame)
    for rows in cut(np.arange(len(sources)), lengths, batch_tokens // search.beam_size):
        look()
        found = _in_memory(model, [sources[row] for row in rows], limits[rows], search, frame=frame)
        for row, tokens in zip(rows, found, strict=True):
            hypotheses[row] = tokens
    return hypotheses


def _in_memory(
    model: nn.Module, sources: Sequence[torch.Tensor], limits: np.ndarray, search: Search, *, frame: Frame
) -> list[list[int]]:
    """Hypotheses of a batch, or of its halves one after the other where memory does not suffice for all of it.

    Raises:
        torch.OutOfMemoryError: a sentence alone is too much; on a processor a RuntimeError.
    """
    try:
        return _search(model, sources, limits, search, frame=frame)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(sources) == 1:
            raise
    # Here nothing refers any more to the tensors that were too large.
    clear_device_cache(garbage_collection=True)
    half = len(sources) // 2
    halves = ((sources[:half], limits[:half]), (sources[half:], limits[half:]))
    return [tokens for half in halves for tokens in _in_memory(model, *half, search, frame=frame)]


def _search(
    model: nn.Module, sources: Sequence[torch.Tensor], limits: np.ndarray, search: Search, *, frame: Frame
) -> list[list[int]]:
    input_ids = padded(sources, frame.pad).to(model.device)
    if search.beam_size == 1:
        return greedy_search(model, input_ids, torch.from_numpy(limits), frame=frame)
    return _beam_search(model, input_ids, torch.from_numpy(limits), search, frame=frame)


def _beam_search(
    model: nn.Module, input_ids: torch.Tensor, limits: torch.Tensor, search: Search, *, frame: Frame
) -> list[list[int]]:
    """Hypotheses of a batch, as those of `greedy_search`."""
    with _without_generation_settings(model):
        output = model.generate(
            input_ids=input_ids,
            attention_mask=(input_ids != frame.pad).long(),
            num_beams=search.beam_size,
            do_sample=False,
            length_penalty=search.length_penalty,
            early_stopping=False,
            pad_token_id=frame.pad,
            eos_token_id=frame.end,
            decoder_start_token_id=frame.begin[0],
            forced_bos_token_id=frame.begin[1] if frame.begin[1:] else None,
            max_new_tokens=int(limits.max()) + len(frame.begin),
            logits_processor=[forbid_tokens(frame, model.device), EndAtLimit(limits.to(model.device), frame)],
        )
    return [before_end(tokens[len(frame.begin) :], frame.end) for tokens in output.tolist()]


@contextlib.contextmanager
def _without_generation_settings(model: nn.Module) -> Iterator[None]:
    """Take from a model what its checkpoint says about generating: `generate` fills up with it what it is not told."""
    from transformers import GenerationConfig, GenerationMixin

    inner = next(module for module in model.modules() if isinstance(module, GenerationMixin))
    own, inner.generation_config = inner.generation_config, GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = own
