"""The key `heal` of models that are made smaller: training until they translate again, on text for pre-training."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtpeft.core.section import Section
from mtpeft.core.value_types import Probability
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class Healing(Section):
    """Training of a model that was made smaller: all of its parameters, on text for pre-training."""

    pair: str = Field(description="A label of `pairs`, whose pre-training part is read and whose dev set decides.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    learning_rate: PositiveFloat = Field(description="Peak learning rate.")
    batch_tokens: PositiveInt = Field(default=1024, description="Padded tokens of a batch, on its longer side.")
    evaluations: PositiveInt = Field(default=10, description="Times that the dev set is decoded.")
    dropout: Probability = Field(default=0.0, description="Share of the hidden units that are left out in training.")
    seed: NonNegativeInt = 1


def nothing_left(configuration: "Configuration", key: str, pairs: Sequence[str]) -> Iterator[str]:
    """Find pairs whose corpus leaves no text for pre-training."""
    for pair in pairs:
        label = configuration.pairs[pair].corpus if pair in configuration.pairs else None
        if label in configuration.corpora and configuration.corpora[label].split.train is None:
            yield (
                f"'{key}' names '{pair}', but all text of its corpus is for fine-tuning; "
                f"write how much of it is in 'corpora.{label}.split.train'."
            )


def mistakes(configuration: "Configuration", key: str, heal: Healing) -> Iterator[str]:
    """Find a pair that is unknown, or whose corpus leaves no text for pre-training."""
    yield from unknown(f"{key}.pair", [heal.pair], configuration.pairs, "pairs")
    yield from nothing_left(configuration, f"{key}.pair", [heal.pair])
