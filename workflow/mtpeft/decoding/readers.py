"""A model that reads tokens one after the other with a cache of keys and values: what both searches ask of it.

A sequence-to-sequence model reads the sources in its encoder, and its decoder begins with special tokens. A causal
model reads whole prompts, padded on the left, so that what comes next is at the end of every row.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtpeft.data.token_arrays import padded
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tasks import CAUSAL, SEQUENCE_TO_SEQUENCE, Task


class Reader(ABC):
    """A model that has read the sources of a batch.

    Attributes:
        logits: of the next token of each row, shape (rows, vocabulary).
    """

    logits: torch.Tensor

    @abstractmethod
    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some rows alone, given by their numbers."""

    @abstractmethod
    def follow(self, rows: torch.Tensor, sources: torch.Tensor | None) -> None:
        """Go on from other rows, given by their numbers.

        Args:
            rows: that each new row goes on from.
            sources: a row with the same source for each new row, where these are others than before or more of them.
        """

    @abstractmethod
    def read(self, tokens: torch.Tensor) -> None:
        """Read the next token of each row, shape (rows, 1)."""


class EncoderDecoder(Reader):
    """A sequence-to-sequence model; rows of one source attend to the same keys of it, which are copied seldom."""

    def __init__(self, model: nn.Module, sources: Sequence[torch.Tensor], special_tokens: SpecialTokens) -> None:
        input_ids = padded(sources, special_tokens.pad).to(model.device)
        self._model, self._mask = model, (input_ids != special_tokens.pad).long()
        begin = torch.tensor([special_tokens.begin], device=model.device).expand(len(input_ids), -1)
        output = model(input_ids=input_ids, attention_mask=self._mask, decoder_input_ids=begin, use_cache=True)
        self._encoded, self._cache = output.encoder_last_hidden_state, output.past_key_values
        self.logits = output.logits[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some rows alone."""
        self._mask, self._encoded = self._mask[rows], self._encoded[rows]
        self._cache.batch_select_indices(rows)

    def follow(self, rows: torch.Tensor, sources: torch.Tensor | None) -> None:
        """Go on from other rows."""
        if sources is not None:
            self._mask, self._encoded = self._mask[sources], self._encoded[sources]
            self._cache.cross_attention_cache.reorder_cache(sources)
        self._cache.self_attention_cache.reorder_cache(rows)

    def read(self, tokens: torch.Tensor) -> None:
        """Read the next token of each row."""
        output = self._model(
            encoder_outputs=(self._encoded,),
            attention_mask=self._mask,
            decoder_input_ids=tokens,
            past_key_values=self._cache,
            use_cache=True,
        )
        self.logits = output.logits[:, -1]


class DecoderOnly(Reader):
    """A causal model, whose cache holds the prompt of each row as well."""

    def __init__(self, model: nn.Module, sources: Sequence[torch.Tensor], special_tokens: SpecialTokens) -> None:
        self._model = model
        self._mask = _on_the_left([torch.ones(len(source)) for source in sources], 0).to(model.device)
        output = self._computed(_on_the_left(sources, special_tokens.pad).to(model.device))
        self._cache, self.logits = output.past_key_values, output.logits[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some rows alone."""
        self._mask = self._mask[rows]
        self._cache.batch_select_indices(rows)

    def follow(self, rows: torch.Tensor, sources: torch.Tensor | None) -> None:
        """Go on from other rows."""
        self._mask = self._mask[rows]
        self._cache.reorder_cache(rows)

    def read(self, tokens: torch.Tensor) -> None:
        """Read the next token of each row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        self.logits = self._computed(tokens, past_key_values=self._cache).logits[:, -1]

    def _computed(self, tokens: torch.Tensor, **cache: Any) -> Any:
        """Compute the logits of the last token of each row; positions are counted from its first token."""
        positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        return self._model(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **cache,
        )


def _on_the_left(sequences: Sequence[torch.Tensor], value: int) -> torch.Tensor:
    """Stack sequences into a (sequences, longest) tensor of 64-bit integers, padded on the left."""
    rows = [sequence.long() for sequence in sequences]
    return torch.nn.utils.rnn.pad_sequence(rows, True, value, padding_side="left")


READERS: Mapping[Task, type[Reader]] = {SEQUENCE_TO_SEQUENCE: EncoderDecoder, CAUSAL: DecoderOnly}


def reader(model: nn.Module, sources: Sequence[torch.Tensor], special_tokens: SpecialTokens) -> Reader:
    """Have a model in evaluation mode read the sources of a batch."""
    return READERS[special_tokens.task](model, sources, special_tokens)
