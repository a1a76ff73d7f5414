"""Put models that were made here into workflow/models/, each with a card, for the studies of the project to use."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.config.held_out import held_out_params
from mtpeft.config.model_origins import healed_on, origin_of
from mtpeft.config.model_shapes import vocabulary_pairs
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT, new_folder, read_record, sha256_of, write_record, write_text
from mtpeft.core.records import DataRecord, HeldOutRecord
from mtpeft.front.licences import licence_named_by
from mtpeft.front.model_cards import pretrained_card, smaller_card
from mtpeft.models.config_json import DATA_RECORD, TRAINING_RECORD
from mtpeft.models.local import GENERATION, tokenizer_files
from mtpeft.models.weights import SINGLE
from mtpeft.steps.base_models import base_file
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.split_corpus import split_file

SHIPPED = PROJECT / "workflow" / "models"


def ship(configuration: Configuration) -> Iterator[str]:
    """Ship every model that the configuration pre-trains, or makes smaller; yields a line about each.

    Raises:
        UserError: one has not been made yet, is too large, or was made from weights whose licence nothing names.
    """
    for label, model in configuration.models.items():
        if not (model.pretrain or model.drop_layers or model.prune):
            continue
        record = Path(base_file(configuration, label))
        if not record.exists():
            raise UserError(f"The model '{label}' is not there yet; make it with `make pretrain`.")
        origin = origin_of(configuration, label)
        made_here = vocabulary_pairs(configuration, origin) if configuration.models[origin].pretrain else []
        data = data_of(configuration, list(dict.fromkeys([*made_here, *healed_on(configuration, label)])))
        if model.pretrain:
            write_card = partial(pretrained_card, data=data)
        else:
            write_card = partial(smaller_card, data=data, licence=licence_of_origin(configuration, label))
        ship_model(record, SHIPPED / label, data=data, write_card=write_card)
        yield f"The model '{label}' is in {SHIPPED / label}."


LARGEST_MB = 16
OWN = "that of this project, which has pre-trained the original"
WriteCard = Callable[[Mapping[str, Any], float], str]
"""Returns the card of a model from its record and the megabytes of its weights."""


def ship_model(record: Path, folder: Path, *, data: DataRecord, write_card: WriteCard) -> None:
    """Write weights as 16-bit floats, tokenizer, configuration, records of training and data, and the model card.

    Loading turns the weights into 32-bit floats again. Rounding changes each of them by less than a thousandth.
    """
    import torch
    from safetensors.torch import load_file, save_file

    base = read_record(record)
    checkpoint = Path(base["folder"])
    weights = load_file(checkpoint / SINGLE)
    halved = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    kept = {name: value for name, value in base.items() if name not in ("folder", "sha256")}
    with new_folder(folder) as temporary:
        for file in (checkpoint / "config.json", checkpoint / GENERATION, *tokenizer_files(checkpoint)):
            shutil.copyfile(file, temporary / file.name)
        save_file(halved, temporary / SINGLE, {"format": "pt"})
        size = (temporary / SINGLE).stat().st_size / 1e6
        if size > LARGEST_MB:
            raise UserError(f"'{folder.name}' has {size:.1f} MB of weights; at most {LARGEST_MB} MB are shipped.")
        write_record(temporary / TRAINING_RECORD, kept)
        write_record(temporary / DATA_RECORD, data.model_dump())
        write_text(temporary / "README.md", write_card(kept, size))


def licence_of_origin(configuration: Configuration, model: str) -> str:
    """Return the licence of the model that a model was made from, and who names it.

    Raises:
        UserError: that was not pre-trained here, nor comes from a package that names its licence.
    """
    label = origin_of(configuration, model)
    if configuration.models[label].pretrain:
        return OWN
    origin = read_record(Path(base_file(configuration, label)))["origin"]
    if not origin.get("licence"):
        raise UserError(f"Nothing says which licence the origin of '{model}' has, so its weights can't be shipped.")
    return licence_named_by(origin)


def data_of(configuration: Configuration, pairs: Sequence[str]) -> DataRecord:
    """Describe the text of pairs, and what was kept out of it."""
    corpora = sorted({configuration.pairs[pair].corpus for pair in pairs})
    return data_record(
        {pair: Path(pair_folder(configuration, pair)) / "parts.json" for pair in pairs},
        {corpus: Path(split_file(configuration, corpus)) for corpus in corpora},
        held_out={corpus: held_out_params(configuration, corpus) for corpus in corpora},
    )


def data_record(
    pairs: Mapping[str, Path], splits: Mapping[str, Path], *, held_out: Mapping[str, Mapping[str, Any]]
) -> DataRecord:
    """Describe the text that a model was trained on, and what was kept out of it.

    Args:
        pairs: the `parts.json` of each pair, with its texts beside it.
        splits: the `split.json` of each corpus.
        held_out: for each corpus what decides which sentences it has and which are held out (`held_out_params`).
    """
    parts = {label: read_record(path) for label, path in pairs.items()}
    return DataRecord(
        pairs={
            label: {
                "rows": record["rows"],
                "taken": record["taken"],
                "near_duplicate": record["params"]["near_duplicate"],
                "similarity_to_held_out": record["similarity_to_held_out"],
                "sha256": record["sha256"],
            }
            for label, record in parts.items()
        },
        corpora={
            label: HeldOutRecord(**held_out[label], split_sha256=sha256_of(path)) for label, path in splits.items()
        },
    )
