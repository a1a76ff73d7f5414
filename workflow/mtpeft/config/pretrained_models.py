"""The source `pretrain` of a base model: what it is trained on here, and the model that may teach it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtpeft.config.healing import nothing_left
from mtpeft.config.messages import named_twice
from mtpeft.config.model_origins import origin_of
from mtpeft.core.section import Section, later
from mtpeft.core.value_types import Probability
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class PretrainingNoise(Section):
    """Noise in pre-training, which keeps a model from learning a small text by heart."""

    begin: Probability = Field(default=0.0, description="Share of the updates without any noise, at the beginning.")
    joined: Probability = Field(default=0.0, description="Share of the batches whose rows are joined two by two.")
    masked_source: Probability = Field(default=0.0, description="Share of the source's tokens that are masked.")
    masked_target: Probability = Field(
        default=0.0, description="Share of the tokens that the decoder reads that are masked."
    )


class Inheritance(Section):
    """A model whose distribution over the next word a model in pre-training learns, beside the words themselves."""

    model: str = Field(description="A label of `models`, with the same vocabulary.")
    weight: PositiveFloat = Field(
        default=1.0, description="Weight of the Kullback-Leibler divergence, beside a cross-entropy of weight 1."
    )
    until: float = Field(
        default=0.5, gt=0, le=1, description="Share of the updates, from the first on, in which it is the teacher."
    )


class Pretraining(Section):
    """An mBART model that the workflow pre-trains from random weights."""

    objective: Literal["translation", "denoising"] = Field(
        description="Translate the pairs, or restore masked sentences of each of their languages."
    )
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` whose pre-training part is read.")
    rows: PositiveInt | None = Field(
        default=None, description="Sentence pairs that are read of each pair, different ones of each. Empty: all."
    )
    vocabulary: PositiveInt = Field(description="Entries of the SentencePiece vocabulary, which all languages share.")
    vocabulary_pairs: list[str] = Field(
        default=[], description="Labels of more `pairs`, from whose pre-training part the vocabulary is learnt as well."
    )
    layers: PositiveInt = Field(description="Encoder layers, and as many decoder layers.")
    d_model: PositiveInt = Field(description="Width of the hidden states.")
    heads: PositiveInt = Field(description="Attention heads.")
    feed_forward: PositiveInt = Field(description="Inner width of the feed-forward blocks.")
    max_positions: PositiveInt = Field(default=128, description="Longest sequence in tokens.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    learning_rate: PositiveFloat = Field(description="Peak learning rate.")
    batch_tokens: PositiveInt = Field(default=768, description="Padded tokens of a batch, on its longer side.")
    dropout: Probability = Field(default=0.1)
    noise: PretrainingNoise = PretrainingNoise()
    inherit: Inheritance | None = later(None, description="A trained model as its teacher. Empty: none.")
    seed: NonNegativeInt = 1


def mistakes(configuration: "Configuration", key: str, pretrain: Pretraining) -> Iterator[str]:
    """Find unknown pairs, pairs without text for pre-training, and a width that the heads do not divide."""
    for name in ("pairs", "vocabulary_pairs"):
        yield from unknown(f"{key}.{name}", getattr(pretrain, name), configuration.pairs, "pairs")
        yield from named_twice(f"{key}.{name}", getattr(pretrain, name))
    if pretrain.d_model % pretrain.heads:
        yield (
            f"'{key}.d_model' is {pretrain.d_model}, which {pretrain.heads} heads do not divide; write a multiple of "
            "'heads'."
        )
    yield from nothing_left(configuration, f"{key}.pairs", pretrain.pairs)
    if pretrain.inherit:
        yield from _teacher_mistakes(configuration, key, pretrain, pretrain.inherit)


def _teacher_mistakes(
    configuration: "Configuration", key: str, pretrain: Pretraining, inherit: Inheritance
) -> Iterator[str]:
    """Find a teacher that is no model, or has another vocabulary; that of a folder is compared when it is read."""
    unknown_model = list(unknown(f"{key}.inherit.model", [inherit.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
        return
    taught_by = configuration.models[inherit.model]
    if taught_by.extend or taught_by.trim:
        yield f"'{key}.inherit.model' is '{inherit.model}', whose vocabulary was changed; name one with the same."
    elif own := configuration.models[origin_of(configuration, inherit.model)].pretrain:
        keys = ("vocabulary", "max_positions")
        pairs = [{*part.pairs, *part.vocabulary_pairs} for part in (own, pretrain)]
        if pairs[0] != pairs[1] or any(getattr(own, name) != getattr(pretrain, name) for name in keys):
            yield (
                f"'{key}.inherit.model' is '{inherit.model}', which has another vocabulary; write the same "
                "'vocabulary' and 'max_positions' in both, and the same 'pairs' and 'vocabulary_pairs' together."
            )
