"""The pre-training of base models, as far as the configuration and the records of models tell it.

Studies of exposure ask whether a base model has read translations of a pair, each of its languages by itself, or
neither. Claims about several models must know which of them differ in the seed of their pre-training alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from mtpeft.config.model_origins import healed_on, origin_of
from mtpeft.config.model_shapes import model_folder
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record
from mtpeft.core.languages import written_language
from mtpeft.models.config_json import DATA_RECORD, TRAINING_RECORD

Exposure = Literal["parallel", "monolingual", "unseen", "unknown"]
ORDER: tuple[Exposure, ...] = ("parallel", "monolingual", "unseen", "unknown")
"""From the best known to the least."""
Written = tuple[str, str | None]
"""A language and its script."""
SEED = "seed"


def exposure_of(configuration: Configuration, model: str, pair: str) -> Exposure:
    """Return how much of a pair a base model has read, after `seen` of its entry or, without that, its pre-training."""
    entry = configuration.models[origin_of(configuration, model)]
    languages = _languages(configuration, pair)
    healed = healed_on(configuration, model)
    if entry.seen:
        parallel = [_languages(configuration, label) for label in (*entry.seen.parallel, *healed)]
        return _exposure(languages, parallel, map(written_language, entry.seen.monolingual))
    if languages in [_languages(configuration, label) for label in healed]:
        return "parallel"
    known = _pretrained_on(configuration, model)
    if known is None:
        return "unknown"
    objective, pairs = known
    read = [_languages(configuration, label) for label in (*pairs, *healed) if label in configuration.pairs]
    return _exposure(languages, read if objective == "translation" else [], set().union(*read))


def languages_read(configuration: Configuration, model: str) -> set[str] | None:
    """Return the languages that a base model has read in its pre-training, or None where these are unknown."""
    sides = sides_read(configuration, model)
    return None if sides is None else set().union(*sides)


def sides_read(configuration: Configuration, model: str) -> tuple[set[str], set[str]] | None:
    """Return the languages that a base model has read as sources, and those as targets; None where they are unknown.

    A language that it has read by itself is on both sides.
    """
    entry, healed = configuration.models[origin_of(configuration, model)], healed_on(configuration, model)
    alone: set[str] = set()
    if entry.seen:
        parallel, alone = [*entry.seen.parallel, *healed], set(entry.seen.monolingual)
    elif known := _pretrained_on(configuration, model):
        objective, pairs = known
        parallel = [*pairs, *healed]
        if objective != "translation":
            alone = alone.union(*(pair_languages(configuration, own) for own in pairs if own in configuration.pairs))
    else:
        return None
    sides = [pair_languages(configuration, label) for label in parallel if label in configuration.pairs]
    return {source for source, _ in sides} | alone, {target for _, target in sides} | alone


def _languages(configuration: Configuration, pair: str) -> set[Written]:
    return set(map(written_language, pair_languages(configuration, pair)))


def _exposure(languages: set[Written], parallel: Iterable[set[Written]], monolingual: Iterable[Written]) -> Exposure:
    """Compare a pair with what was read; two languages that were read apart from each other count as monolingual."""
    translated = list(parallel)
    if languages in translated:
        return "parallel"
    return "monolingual" if languages <= set(monolingual).union(*translated) else "unseen"


def _pretrained_on(configuration: Configuration, model: str) -> tuple[str, list[str]] | None:
    """Return objective and pairs of the pre-training of a model, if its entry or its records have them."""
    origin = origin_of(configuration, model)
    pretrain = configuration.models[origin].pretrain
    if pretrain:
        return pretrain.objective, pretrain.pairs
    folder = model_folder(configuration, origin)
    training, data = folder / TRAINING_RECORD, folder / DATA_RECORD
    if not (training.exists() and data.exists()):
        return None
    # The record of a model that was healed tells nothing of the text that the model with all layers has read.
    objective = read_record(training)["params"].get("objective")
    return None if objective is None else (objective, list(read_record(data)["pairs"]))


def one_checkpoint_each(configuration: Configuration, models: Sequence[str]) -> bool:
    """Return whether no two of these models differ in the seed of their pre-training alone.

    A model with an extended vocabulary counts as the one that it extends.
    """
    origins = dict.fromkeys(origin_of(configuration, label) for label in models)
    known = [params for label in origins if (params := _pretraining_params(configuration, label))]
    return all(params not in known[:place] for place, params in enumerate(known))


def _pretraining_params(configuration: Configuration, label: str) -> dict[str, Any]:
    """Return how a model was pre-trained, without its seed; empty for a folder without a record of that."""
    model = configuration.models[label]
    if model.pretrain:
        return model.pretrain.model_dump(exclude={SEED})
    record = model_folder(configuration, label) / TRAINING_RECORD
    params = read_record(record)["params"] if record.exists() else {}
    return {key: value for key, value in params.items() if key != SEED}
