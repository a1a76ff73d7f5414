"""The types of an entry of `models`: where a base model comes from, and in what it is held."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtpeft.config.section import Section

Probability = Annotated[float, Field(ge=0, lt=1)]
HUB_MODEL = r"^[\w.-]+/[\w.-]+@[\w./-]+$"


class PretrainingNoise(Section):
    """What keeps a model from learning a small text by heart."""

    begin: Probability = Field(default=0.0, description="Share of the updates before any of it.")
    joined: Probability = Field(default=0.0, description="Share of the batches whose rows are joined two by two.")
    masked_source: Probability = Field(default=0.0, description="Share of the source's tokens that are masked.")
    masked_target: Probability = Field(default=0.0, description="Share of masks in what the decoder reads.")


class Pretraining(Section):
    """An mBART model trained from nothing by the workflow."""

    objective: Literal["translation", "denoising"] = Field(
        description="Translate the pairs, or restore masked sentences of each of their languages."
    )
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` whose pre-training part is read.")
    rows: PositiveInt | None = Field(
        default=None, description="Sentence pairs of each pair that are read, others of each. Empty: all there are."
    )
    vocabulary: PositiveInt = Field(description="Sentencepiece vocabulary, all languages together.")
    vocabulary_pairs: list[str] = Field(
        default=[], description="Labels of `pairs` whose pre-training part it is learnt from besides that of `pairs`."
    )
    layers: PositiveInt = Field(description="Encoder layers, and as many decoder layers.")
    d_model: PositiveInt = Field(description="Width.")
    heads: PositiveInt = Field(description="Attention heads.")
    feed_forward: PositiveInt = Field(description="Inner width of the feed-forward blocks.")
    max_positions: PositiveInt = Field(default=128, description="Longest sequence in tokens.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    learning_rate: PositiveFloat = Field(description="Peak learning rate.")
    batch_tokens: PositiveInt = Field(default=768, description="Padded tokens of a batch, on its longer side.")
    dropout: Probability = Field(default=0.1)
    noise: PretrainingNoise = PretrainingNoise()
    seed: NonNegativeInt = 1


class Model(Section):
    """A base model: one that the workflow pre-trains, a local Hugging Face folder, or one of a model hub."""

    pretrain: Pretraining | None = None
    path: str | None = Field(default=None, description="Folder with config.json, safetensors weights and tokenizer.")
    # Left out where it is empty, so that it changes nothing for models that come from elsewhere.
    hub: str | None = Field(
        default=None,
        pattern=HUB_MODEL,
        exclude_if=lambda given: given is None,
        description="A model of the hub and its revision: owner/name@commit.",
    )
    threads: PositiveInt = Field(
        default=1, description="Torch's threads. They change the order of sums, so they are part of the result."
    )
    # Left out where the base is held as ever, so that they change nothing for models without them.
    quantised: Literal[8, 4] | None = Field(
        default=None,
        exclude_if=lambda bits: bits is None,
        description="Bits of a weight of the linear layers, by bitsandbytes; the base stays frozen. Empty: all 32.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        exclude_if=lambda floats: floats == "float32",
        description="Floats that the base is held and computed in; with 'bfloat16', meant for GPUs, it stays frozen.",
    )

    @property
    def held(self) -> dict[str, Any]:
        """The keys that say in what the base is held, where it is in less than it could be trained in."""
        return self.model_dump(include={"quantised", "precision"})
