"""Put the models that were pre-trained here where the default study looks for its own."""

from collections.abc import Iterator
from pathlib import Path

from mtpeft.config.folders import base_file, pair_folder, split_file
from mtpeft.config.held_out import held_out_settings
from mtpeft.config.resolve import PROJECT, vocabulary_pairs
from mtpeft.config.schema import Configuration
from mtpeft.errors import UserError
from mtpeft.models.ship import data_record, ship_model

SHIPPED = PROJECT / "workflow" / "models"


def ship(configuration: Configuration) -> Iterator[str]:
    """Ship every model that the configuration pre-trains; yields a line about each.

    Raises:
        UserError: one has not been pre-trained yet.
    """
    for label in (label for label, model in configuration.models.items() if model.pretrain):
        record = Path(base_file(configuration, label))
        if not record.exists():
            raise UserError(f"The model '{label}' is not there yet; pre-train it with `make pretrain`.")
        pairs = vocabulary_pairs(configuration, label)
        corpora = sorted({configuration.pairs[pair].corpus for pair in pairs})
        data = data_record(
            {pair: Path(pair_folder(configuration, pair)) / "parts.json" for pair in pairs},
            {corpus: Path(split_file(configuration, corpus)) for corpus in corpora},
            settings={corpus: held_out_settings(configuration, corpus) for corpus in corpora},
        )
        ship_model(record, SHIPPED / label, data=data)
        yield f"The model '{label}' is in {SHIPPED / label}."
