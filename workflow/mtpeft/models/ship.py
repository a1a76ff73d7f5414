"""Turn a model that the workflow has pre-trained into a folder that comes with the project: small, with its card."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.models.card import model_card
from mtpeft.models.describe import DATA_RECORD, TRAINING_RECORD
from mtpeft.record_types import DataRecord, HeldOutRecord
from mtpeft.records import publish_folder, read_record, sha256_of, write_record, write_text

LARGEST_MB = 8
TAKEN = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def ship_model(record: Path, folder: Path, *, data: DataRecord) -> None:
    """Write weights as 16-bit floats, tokenizer, configuration, records of training and data, and the card.

    Loading turns the weights into 32-bit floats again; what was rounded off is less than a thousandth of each.
    """
    import torch
    from safetensors.torch import load_file, save_file

    base = read_record(record)
    checkpoint = Path(base["folder"])
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in TAKEN:
        shutil.copyfile(checkpoint / name, temporary / name)
    weights = load_file(checkpoint / "model.safetensors")
    halved = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    save_file(halved, temporary / "model.safetensors", {"format": "pt"})
    size = (temporary / "model.safetensors").stat().st_size / 1e6
    if size > LARGEST_MB:
        raise AssertionError(f"{folder.name} has {size:.1f} MB of weights; at most {LARGEST_MB} are shipped")
    kept = {name: value for name, value in base.items() if name not in ("folder", "sha256")}
    write_record(temporary / TRAINING_RECORD, kept)
    write_record(temporary / DATA_RECORD, data.model_dump())
    write_text(temporary / "README.md", model_card(kept, data, megabytes=size))
    publish_folder(temporary, folder)


def data_record(
    pairs: Mapping[str, Path], splits: Mapping[str, Path], *, settings: Mapping[str, Mapping[str, Any]]
) -> DataRecord:
    """What a model was trained on and what was kept out of it.

    Args:
        pairs: the `parts.json` of each pair, with its texts beside it.
        splits: the `split.json` of each corpus.
        settings: what decides which sentences each corpus has and which are held out: `held_out_settings`.
    """
    parts = {label: read_record(path) for label, path in pairs.items()}
    return DataRecord(
        pairs={
            label: {
                "rows": record["rows"],
                "taken": record["taken"],
                "near_duplicate": record["settings"]["near_duplicate"],
                "similarity_to_held_out": record["similarity_to_held_out"],
                "sha256": record["sha256"],
            }
            for label, record in parts.items()
        },
        corpora={
            label: HeldOutRecord(**settings[label], split_sha256=sha256_of(path)) for label, path in splits.items()
        },
    )
