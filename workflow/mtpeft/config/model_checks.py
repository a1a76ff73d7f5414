"""What can be wrong between a model and what a study wants of it: its languages, and what it may have read."""

from collections.abc import Callable, Collection, Iterator
from itertools import product
from pathlib import Path

from mtpeft.cells import Cell
from mtpeft.config.held_out import held_out_settings
from mtpeft.config.resolve import model_folder, origin_of, pair_languages, pretrain_languages
from mtpeft.config.schema import Configuration, Study
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record
from mtpeft.core.languages import match
from mtpeft.core.project import found_path
from mtpeft.methods import METHODS
from mtpeft.models.config_json import DATA_RECORD
from mtpeft.models.families import names_by_files
from mtpeft.models.families.mbart import MBART50_CODES, language_code


def contaminated_models(configuration: Configuration) -> Iterator[str]:
    """Models of the studies whose pre-training may have kept other sentences out than those that are tested on now.

    Other wheels and other cleaning change which sentences there are to draw from as much as another split does. A data
    record that does not say what they were is refused as well: nobody can tell what its model has read.
    """
    blocks = [block for study in configuration.studies.values() for block in study.blocks]
    for label in sorted({model for block in blocks for model in block.models}):
        path = configuration.models[origin_of(configuration, label)].path
        record = found_path(path) / DATA_RECORD if path else None
        if record is None or not record.exists():
            continue
        kept_out = read_record(record)["corpora"]
        pairs = {pair for block in blocks if label in block.models for pair in (*block.members, *block.also_score)}
        for corpus in sorted({configuration.pairs[pair].corpus for pair in pairs} & set(kept_out)):
            now, then = held_out_settings(configuration, corpus), kept_out[corpus]
            differing = [f"'corpora.{corpus}.{key}'" for key in now if key in then and now[key] != then[key]]
            unknown = [f"'corpora.{corpus}.{key}'" for key in now if key not in then]
            if differing:
                yield (
                    f"'models.{label}' may have seen test sentences: it was pre-trained with another "
                    f"{' and another '.join(differing)}; keep the values that come with it, or pre-train it again with "
                    "these, as workflow/studies/pretrain.yaml does."
                )
            elif unknown:
                yield (
                    f"'models.{label}' may have seen test sentences: {record} does not say with which "
                    f"{' and '.join(unknown)} it was pre-trained; pre-train it again, as "
                    "workflow/studies/pretrain.yaml does."
                )


def frozen_mistakes(configuration: Configuration, key: str, study: Study) -> Iterator[str]:
    """Methods that train the base model itself, where it is held in what can't be trained."""
    for model, method in product(study.models, study.methods):
        for held in _kept_frozen(configuration, model, method):
            yield (
                f"'{key}.methods' names '{method}', which needs the weights of the base model, but "
                f"'models.{model}.{held}' keeps it frozen; take one of the two out, or add an entry for the same model "
                f"without '{held}'."
            )


def sharding_mistakes(configuration: Configuration, key: str, study: Study) -> Iterator[str]:
    """Methods that train the whole of a model in shards, with losses that shards don't allow."""
    for model, method in product(study.models, study.methods):
        options = configuration.methods[method]
        losses = getattr(options, "losses", ())
        if losses and configuration.models[model].sharded and METHODS[options.tuner].trains_base:
            yield (
                f"'{key}.methods' names '{method}', whose 'losses' can't be computed on shards, but "
                f"'models.{model}.sharded' asks for them; take one of the two out."
            )


def require_trainable(configuration: Configuration, cell: Cell) -> None:
    """Refuse a cell that no study can have, but that somebody may ask for by its name.

    Raises:
        UserError: its method trains the base model, which is held in what can't be trained.
    """
    for held in _kept_frozen(configuration, cell.model, cell.method):
        raise UserError(
            f"The cell {cell.path} needs the weights of the base model, but 'models.{cell.model}.{held}' keeps it "
            "frozen; name a cell of an entry without that key."
        )


def _kept_frozen(configuration: Configuration, model: str, method: str) -> list[str]:
    """Keys of a model that keep a method, or a stage of it, from training it or from beginning with its weights."""
    stages = getattr(configuration.methods[method], "stages", ())
    entries = [METHODS[configuration.methods[label].tuner] for label in (method, *stages)]
    trains_base = any(entry.trains_base for entry in entries)
    held = configuration.models[model].held if trains_base or any(entry.copies_weights for entry in entries) else ()
    return [key for key in held if trains_base or key == "quantised"]


def language_mistakes(configuration: Configuration, key: str, study: Study) -> Iterator[str]:
    """Pairs with a language for which a model has no token; a model of a hub is asked when it is there."""
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
    """Whether the family of the model in a folder has no name for a language, by the files of its tokenizer."""
    if not (folder / "tokenizer_config.json").is_file():  # not fetched yet, or refused when it is taken in
        return lambda language: False
    names = names_by_files(folder)
    return lambda language: names is not None and match(language, names) is None
