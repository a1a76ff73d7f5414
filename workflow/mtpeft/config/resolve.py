"""Look things up across the catalogues of a configuration."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import JOIN, digest_of, members_of, name_of
from mtpeft.config.corpora import Corpus
from mtpeft.config.schema import Configuration
from mtpeft.config.section import plain
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical
from mtpeft.methods import METHODS
from mtpeft.methods.base import Site
from mtpeft.methods.budget import sites_of
from mtpeft.models.architecture import ModelShape, extended_shape
from mtpeft.models.config_json import mbart_config, read_folder_shape
from mtpeft.models.families import read_shape

PROJECT = Path(__file__).parents[3]
ONE_PAIR = ""
"""Stands for any pair that is no group, where it does not matter which."""


def found_path(path: str) -> Path:
    """A path from the working directory or, where there is nothing, from the project's own folder."""
    return Path(path) if Path(path).exists() or not (PROJECT / path).exists() else PROJECT / path


def pair_languages(configuration: Configuration, pair: str) -> tuple[str, str]:
    """Source and target language of a pair, from its keys or its label.

    Raises:
        UserError: the label is not `source-target` and the keys do not say it.
    """
    entry = configuration.pairs[pair]
    parts = pair.split("-")
    if entry.source and entry.target:
        sides = (entry.source, entry.target)
    elif len(parts) == 2:
        sides = (entry.source or parts[0], entry.target or parts[1])
    else:
        raise UserError(
            f"'pairs.{pair}' does not say its languages; write 'source' and 'target', such as 'sw' and 'en'."
        )
    if sides[0] == sides[1]:
        raise UserError(f"'pairs.{pair}' translates '{sides[0]}' into itself; write two different languages.")
    return sides


def languages_of(corpus: Corpus) -> list[str] | None:
    """Languages of a corpus made of files, or None where its wheels, its datasets or its translation memory decide."""
    return corpus.files.languages if corpus.files else None


def written_in(corpus: Corpus) -> str:
    """The language by which a corpus tells its sentences apart."""
    return corpus.written_in or (languages_of(corpus) or [""])[0]


def anchor_pairs(configuration: Configuration, corpus: str) -> list[str]:
    """Pairs whose text decides which sentences are dev, test and tuning: one per language of `present_in`.

    Where the user gives dev or test, all pairs decide, since each may have its own.
    """
    entry = configuration.corpora[corpus]
    pairs = [label for label, pair in configuration.pairs.items() if pair.corpus == corpus]
    datasets = entry.mtdata is not None and bool(entry.mtdata.dev or entry.mtdata.test)
    if datasets or entry.dev_files or entry.test_files:
        return pairs
    if entry.files or not entry.split.present_in:
        return pairs[:1] if entry.files else pairs
    wanted = {frozenset((language, written_in(entry))) for language in entry.split.present_in}
    found = {frozenset(pair_languages(configuration, pair)): pair for pair in reversed(pairs)}
    return sorted(found[languages] for languages in wanted if languages in found)


def vocabulary_pairs(configuration: Configuration, model: str) -> list[str]:
    """Pairs that the vocabulary of a model is learnt from, sorted: those it is pre-trained on, if none are named."""
    pretrain = configuration.models[model].pretrain
    return sorted({*pretrain.pairs, *pretrain.vocabulary_pairs})


def used_corpora(configuration: Configuration) -> list[str]:
    """Corpora of the pairs of all studies, of the tuning pairs and of pairs that models are pre-trained on, sorted."""
    studies = [block for study in configuration.studies.values() for block in study.blocks]
    pairs = {pair for study in studies for pair in (*study.members, *study.also_score)}
    pairs.update(configuration.tuning.all_pairs if configuration.tuning else [])
    for model in {origin_of(configuration, model) for study in studies for model in study.models}:
        if configuration.models[model].pretrain:
            pairs.update(vocabulary_pairs(configuration, model))
    return sorted({configuration.pairs[pair].corpus for pair in pairs})


def pretrain_languages(configuration: Configuration, model: str) -> list[str]:
    """Languages of the pairs that a model's vocabulary is made for, sorted."""
    pairs = vocabulary_pairs(configuration, model)
    return sorted({language for pair in pairs for language in pair_languages(configuration, pair)})


def vocabulary_of(configuration: Configuration, model: str) -> str:
    """Label of a model's vocabulary. Models that are pre-trained with the same one share it and its token arrays.

    The label says the size and, since a path has no room for a list of pairs, a hash of all that it depends on.
    """
    pretrain = configuration.models[model].pretrain
    if pretrain is None:
        return model
    pairs = vocabulary_pairs(configuration, model)
    keys = canonical({"pairs": pairs, "size": pretrain.vocabulary, "max_positions": pretrain.max_positions})
    return f"v{pretrain.vocabulary}-{hashlib.sha256(keys.encode()).hexdigest()[:8]}"


def model_with(configuration: Configuration, vocabulary: str) -> str:
    """A model that has the vocabulary of this label."""
    return next(model for model in configuration.models if vocabulary_of(configuration, model) == vocabulary)


def model_shape(configuration: Configuration, model: str) -> ModelShape | None:
    """Shape of a model of the catalogue, whether it exists already or not; None before it is fetched.

    An extended model has the shape of the model that it extends, with more entries.

    Raises:
        UserError: its folder or its architecture is not what it should be.
    """
    entry = configuration.models[model]
    if entry.pretrain:
        return read_shape(mbart_config(entry.pretrain.model_dump(), pretrain_languages(configuration, model)))
    if entry.extend:
        origin = model_shape(configuration, entry.extend.model)
        return extended_shape(origin, new_entries=entry.extend.entries) if origin else None
    folder = model_folder(configuration, model)
    if entry.hub and not (folder / "config.json").exists():
        return None
    return read_folder_shape(folder, key=f"models.{model}.{'path' if entry.path else 'hub'}")


def model_folder(configuration: Configuration, model: str) -> Path:
    """Folder of a model that lies in one or is fetched from a hub, with its tokenizer in it."""
    entry = configuration.models[model]
    if entry.path:
        return found_path(entry.path)
    return Path(f"results/models/{name_of(model, digest_of(hub_params(configuration, model), []))}/hub")


def hub_params(configuration: Configuration, model: str) -> dict[str, Any]:
    """Params of a model that is fetched from a hub."""
    return {"hub": configuration.models[model].hub, **prompt_params(configuration, model)}


def prompt_params(configuration: Configuration, model: str) -> dict[str, Any]:
    """The prompt of a model or of the one that it extends, if it has one."""
    labels = (model, origin_of(configuration, model))
    given = next((prompt for label in labels if (prompt := configuration.models[label].prompt) is not None), None)
    return {} if given is None else {"prompt": given}


def origin_of(configuration: Configuration, model: str) -> str:
    """The model whose weights a model has: itself, or the one that it extends."""
    extension = configuration.models[model].extend
    return extension.model if extension else model


def method_options(configuration: Configuration, method: str) -> dict[str, Any]:
    """Options of a method without its learning rate, with the file that it comes from if it is no part of the package,
    and with its version if that is not the first.

    Stages are options as well, in the place of their labels.
    """
    options = plain(configuration.methods[method])
    options.pop("learning_rate", None)
    if module := METHODS[options["tuner"]].module:
        options["module"] = module
    if (version := METHODS[options["tuner"]].version) > 1:
        options["version"] = version
    if "stages" in options:
        options["stages"] = [method_options(configuration, stage) for stage in options["stages"]]
    return options


def with_languages(options: dict[str, Any], members: Collection[Mapping[str, str]]) -> dict[str, Any]:
    """Options of a method with the languages of the pairs of a group by side, where it or a stage has parameters for
    each.
    """
    languages = {side: [languages[side] for languages in members] for side in ("source", "target")}
    told = {"languages": languages} if METHODS[options["tuner"]].by_language else {}
    if "stages" in options:
        told["stages"] = [with_languages(stage, members) for stage in options["stages"]]
    return options | told


def method_sites(configuration: Configuration, method: str, shape: ModelShape, pair: str = ONE_PAIR) -> Sequence[Site]:
    """Places that a method of the catalogue trains in a model, or none where it has no size; for a group of pairs, what
    it trains for them.
    """
    options = method_options(configuration, method)
    if JOIN in pair:
        sides = [pair_languages(configuration, member) for member in members_of(pair)]
        options = with_languages(options, [dict(zip(("source", "target"), own, strict=True)) for own in sides])
    return sites_of(METHODS[options["tuner"]], shape, options)
