"""The layout of a batch: how sources and targets become the inputs of a model and its labels, for each task.

A label stands at the position whose output predicts it. So for a sequence-to-sequence model labels are the targets, and
the decoder reads them shifted by one. A causal model reads prompt and target one after the other, without the token
that ends the target; the first label stands at the last token of the prompt, which has none before that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtpeft.data.token_arrays import IGNORED, TokenPairs, padded
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tasks import CAUSAL, SEQUENCE_TO_SEQUENCE, Task

Tokens = Sequence[torch.Tensor]
Inputs = Mapping[str, torch.Tensor]
"""Inputs of a model with `labels`, each of shape (batch, longest)."""
READ = "decoder_input_ids"
"""What a decoder reads apart from the source."""


@dataclass(frozen=True)
class Layout:
    """How a batch is laid out for a task.

    Attributes:
        inputs: makes the inputs of a model and its labels.
        lengths: returns the positions of each row on the side that has more of them.
        read_both: makes the inputs of a model that reads a source and a target, each of shape (1, length).
        begin_with: makes the inputs with another first token of each target, shape (batch), where one is read.
    """

    inputs: Callable[[Tokens, Tokens, SpecialTokens], Inputs]
    lengths: Callable[[TokenPairs], np.ndarray]
    read_both: Callable[[torch.Tensor, torch.Tensor], Inputs]
    begin_with: Callable[[Inputs, torch.Tensor], Inputs]


def _two_sides(source: Tokens, target: Tokens, special_tokens: SpecialTokens) -> Inputs:
    input_ids = padded(source, special_tokens.pad)
    labels = padded(target, IGNORED)
    shifted = labels.roll(1, dims=1).masked_fill(labels.roll(1, dims=1) == IGNORED, special_tokens.pad)
    shifted[:, 0] = special_tokens.begin[0]
    return {
        "input_ids": input_ids,
        "attention_mask": (input_ids != special_tokens.pad).long(),
        READ: shifted,
        "labels": labels,
    }


def _decoder_begins_with(inputs: Inputs, tokens: torch.Tensor) -> Inputs:
    read = inputs[READ].clone()
    read[:, 0] = tokens
    return {**inputs, READ: read}


def _one_row(source: Tokens, target: Tokens, special_tokens: SpecialTokens) -> Inputs:
    """Lay out prompts and targets one after the other; padding has a mask, since it may be a token that is learnt."""
    read = [torch.cat([prompt, answer[:-1]]) for prompt, answer in zip(source, target, strict=True)]
    labels = [
        torch.cat([answer.new_full((len(prompt) - 1,), IGNORED), answer])
        for prompt, answer in zip(source, target, strict=True)
    ]
    return {
        "input_ids": padded(read, special_tokens.pad),
        "attention_mask": padded([torch.ones(len(row)) for row in read], 0),
        "labels": padded(labels, IGNORED),
    }


LAYOUTS: Mapping[Task, Layout] = {
    SEQUENCE_TO_SEQUENCE: Layout(
        inputs=_two_sides,
        lengths=lambda pairs: pairs.longer,
        read_both=lambda source, target: {"input_ids": source, READ: target},
        begin_with=_decoder_begins_with,
    ),
    CAUSAL: Layout(
        inputs=_one_row,
        lengths=lambda pairs: pairs.source.lengths + pairs.target.lengths - 1,
        read_both=lambda source, target: {"input_ids": torch.cat([source, target], dim=1)},
        begin_with=lambda inputs, tokens: inputs,
    ),
}


def model_inputs(source: Tokens, target: Tokens, *, special_tokens: SpecialTokens) -> Inputs:
    """Make the inputs of a model and its labels, each (batch, longest)."""
    return LAYOUTS[special_tokens.task].inputs(source, target, special_tokens)


def without_padding(batch: Inputs, row: int) -> Inputs:
    """Return a row of a batch alone, each input of shape (1, length)."""
    filled = batch["attention_mask"][row].bool()
    behind = batch["labels"][row] != IGNORED if READ in batch else filled
    places = {"input_ids": filled, "attention_mask": filled, READ: behind, "labels": behind}
    return {name: batch[name][row][own][None] for name, own in places.items() if name in batch}


def prompt_lengths(labels: torch.Tensor) -> torch.Tensor:
    """Return how many tokens stand before the first one of a target, shape (batch); the last of them has its label."""
    return (labels != IGNORED).int().argmax(dim=1) + 1


def positions_and_filled(batch: Inputs) -> tuple[int, int]:
    """Count the positions of a batch, of both sides where they are read apart, and those that hold no padding."""
    positions, filled = batch["input_ids"].numel(), int(batch["attention_mask"].sum())
    if READ in batch:
        return positions + batch["labels"].numel(), filled + int((batch["labels"] != IGNORED).sum())
    return positions, filled
