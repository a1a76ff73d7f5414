"""What is known of the pre-training of base models: what each has read, and which differ in their seed alone."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from mtpeft.config.models import model_folder, origin_of
from mtpeft.config.pairs import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record
from mtpeft.core.languages import written_language
from mtpeft.models.config_json import DATA_RECORD, TRAINING_RECORD

Exposure = Literal["parallel", "monolingual", "unseen", "unknown"]


Written = tuple[str, str | None]
"""A language and its script."""


ORDER: tuple[Exposure, ...] = ("parallel", "monolingual", "unseen", "unknown")


def exposure_of(configuration: Configuration, model: str, pair: str) -> Exposure:
    """What `seen` of a model's entry says of a pair or, where it says nothing, how the model was pre-trained."""
    entry = configuration.models[origin_of(configuration, model)]
    languages = _languages(configuration, pair)
    if entry.seen:
        parallel = [_languages(configuration, label) for label in entry.seen.parallel]
        return _exposure(languages, parallel, map(written_language, entry.seen.monolingual))
    known = _pretrained_on(configuration, model)
    if known is None:
        return "unknown"
    objective, pairs = known
    read = [_languages(configuration, label) for label in pairs if label in configuration.pairs]
    return _exposure(languages, read if objective == "translation" else [], set().union(*read))


def languages_read(configuration: Configuration, model: str) -> set[str] | None:
    """Languages that a base model has read in its pre-training; None where nobody says."""
    entry = configuration.models[origin_of(configuration, model)]
    if entry.seen:
        pairs, alone = entry.seen.parallel, entry.seen.monolingual
    elif known := _pretrained_on(configuration, model):
        pairs, alone = known[1], []
    else:
        return None
    sides = (pair_languages(configuration, label) for label in pairs if label in configuration.pairs)
    return set(alone).union(*sides)


def _languages(configuration: Configuration, pair: str) -> set[Written]:
    return set(map(written_language, pair_languages(configuration, pair)))


def _exposure(languages: set[Written], parallel: Iterable[set[Written]], monolingual: Iterable[Written]) -> Exposure:
    """A pair whose two languages were seen, but not as translations of each other, counts as seen monolingually."""
    translated = list(parallel)
    if languages in translated:
        return "parallel"
    return "monolingual" if languages <= set(monolingual).union(*translated) else "unseen"


def _pretrained_on(configuration: Configuration, model: str) -> tuple[str, list[str]] | None:
    """Objective and pairs of the pre-training of a model, where its entry or the records in its folder tell them."""
    origin = origin_of(configuration, model)
    pretrain = configuration.models[origin].pretrain
    if pretrain:
        return pretrain.objective, pretrain.pairs
    folder = model_folder(configuration, origin)
    training, data = folder / TRAINING_RECORD, folder / DATA_RECORD
    if not (training.exists() and data.exists()):
        return None
    return read_record(training)["settings"]["objective"], list(read_record(data)["pairs"])


SEED = "seed"


def one_checkpoint_each(configuration: Configuration, models: Sequence[str]) -> bool:
    """Whether no two of these models differ in the seed of their pre-training alone; an extended one is its origin."""
    origins = dict.fromkeys(origin_of(configuration, label) for label in models)
    recipes = [recipe for label in origins if (recipe := _recipe(configuration, label))]
    return all(recipe not in recipes[:place] for place, recipe in enumerate(recipes))


def _recipe(configuration: Configuration, label: str) -> dict[str, Any]:
    """How a model was pre-trained, without its seed; nothing is known of a folder without a record."""
    model = configuration.models[label]
    if model.pretrain:
        return model.pretrain.model_dump(exclude={SEED})
    record = model_folder(configuration, label) / TRAINING_RECORD
    settings = read_record(record)["settings"] if record.exists() else {}
    return {key: value for key, value in settings.items() if key != SEED}
