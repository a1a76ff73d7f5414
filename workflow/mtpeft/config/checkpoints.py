"""Which base models are the same but for the seed of their pre-training."""

from collections.abc import Sequence
from typing import Any

from mtpeft.config.resolve import model_folder, origin_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record
from mtpeft.models.config_json import TRAINING_RECORD

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
