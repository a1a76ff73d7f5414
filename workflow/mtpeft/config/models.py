"""The types of an entry of `models`: where a base model comes from, and in what it is held."""

import json
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtpeft.config.forms import HUB_MODEL, Language, Probability
from mtpeft.config.section import Section

EXECUTION = {"cells_per_gpu", "gpus", "micro_batch_tokens", "sharded"}
"""Keys of a model that say how its cells are run, on which no result depends."""


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


class NewLanguage(Section):
    """How the token of a new language begins."""

    like: Language | None = Field(
        default=None, description="A language that the model knows, whose token it begins as. Empty: the mean of all."
    )


class NewPieces(Section):
    """New entries of the vocabulary, learnt from fine-tuning text."""

    language: Language = Field(description="Language of the text.")
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` with that language, whose text is read.")
    entries: PositiveInt = Field(description="How many.")


class Extension(Section):
    """Another model of the catalogue with more entries in its vocabulary, which every method trains."""

    model: str = Field(description="A label of `models`.")
    languages: dict[Language, NewLanguage] = Field(default={}, description="Languages that the model has no token for.")
    pieces: NewPieces | None = Field(default=None, description="New entries for text that falls into many pieces.")

    @property
    def entries(self) -> int:
        """How many entries the vocabulary gets."""
        return len(self.languages) + (self.pieces.entries if self.pieces else 0)


class Seen(Section):
    """What a model has read in its pre-training, for studies of that; unnecessary for models that come from here."""

    parallel: list[str] = Field(default=[], description="Labels of `pairs` that it was trained to translate.")
    monolingual: list[Language] = Field(default=[], description="Languages that it has read by themselves.")


class Model(Section):
    """A base model: one that the workflow pre-trains, a local Hugging Face folder, one of a model hub, or one of these
    with more entries in its vocabulary.
    """

    pretrain: Pretraining | None = None
    path: str | None = Field(default=None, description="Folder with config.json, safetensors weights and tokenizer.")
    # Left out where it is empty, so that it changes nothing for models that come from elsewhere.
    hub: str | None = Field(
        default=None,
        pattern=HUB_MODEL,
        exclude_if=lambda given: given is None,
        description="A model of the hub and its revision: owner/name@commit.",
    )
    extend: Extension | None = Field(
        default=None, exclude_if=lambda given: given is None, description="A model with a larger vocabulary."
    )
    prompt: str | None = Field(
        default=None,
        exclude_if=lambda given: given is None,
        description="Text before every source sentence of a model that is told the languages in words, with {source}, "
        "{target}, {source_code} or {target_code} in it. Empty: as T5 was trained, `translate {source} to {target}: `.",
    )
    seen: Seen | None = Field(
        default=None, exclude_if=lambda given: given is None, description="What it was pre-trained on, if you know."
    )
    threads: PositiveInt = Field(
        default=1,
        le=1024,
        description="Torch's threads. They change the order of sums, so they are part of the result.",
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
    cells_per_gpu: PositiveInt = Field(
        default=1,
        description="Jobs of this model that share a GPU with each other, where one does not fill it.",
    )
    gpus: PositiveInt = Field(
        default=1,
        description="GPUs that a training of this model takes, each with its share of the rows of every batch.",
    )
    micro_batch_tokens: PositiveInt | None = Field(
        default=None,
        description="Padded tokens, on the longer side, of the parts that an update is made in, on each GPU. Empty: as "
        "many as memory suffices for, which is found out.",
    )
    sharded: bool = Field(
        default=False,
        description="Full fine-tuning holds weights, gradients and the optimiser's state in shards, one on each of "
        "'gpus' (FSDP), where one GPU has no room for all of them.",
    )

    @property
    def identity(self) -> dict[str, Any]:
        """All that a result may depend on, as plain values."""
        return json.loads(self.model_dump_json(exclude=EXECUTION))

    @property
    def held(self) -> dict[str, Any]:
        """The keys that say in what the base is held, where it is in less than it could be trained in."""
        return self.model_dump(include={"quantised", "precision"})
