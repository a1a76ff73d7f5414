"""Take in a local Hugging Face folder as a base model: check that it is what it must be, and record its hashes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.provenance import versions
from mtpeft.core.records import ModelRecord
from mtpeft.models.architecture import ModelShape
from mtpeft.models.config_json import exposure_of, read_config, read_folder_shape
from mtpeft.models.families import family_in
from mtpeft.models.vocabulary_check import check_start, check_tokenizer, check_vocabulary, tokenizer_files
from mtpeft.models.weight_files import check_numbers, weight_files
from mtpeft.models.weights import check_weights


def describe_local(settings: Mapping[str, Any], *, record: Path) -> None:
    """Write the `base.json` of a folder that stays where it is.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, or the architecture is not supported.
    """
    record_folder(settings, Path(settings["path"]), key=f"models.{label_of(record.parent.name)}.path", record=record)


def check_folder(folder: Path, *, key: str) -> ModelShape:
    """Shape of the model in a folder whose configuration and tokenizer are those of one model of a supported family.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, or the family is not supported; names
            `key`.
    """
    shape = read_folder_shape(folder, key=key)
    if not (folder / "tokenizer_config.json").exists():
        raise UserError(f"'{key}' is '{folder}', but that folder has no tokenizer; save the model's tokenizer in it.")
    family_in(folder)
    config = _with_defaults(folder, read_config(folder, key=key))
    check_start(folder, config)
    check_vocabulary(folder, config, key=key)
    return shape


def _with_defaults(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config.json with those that its class fills in.

    Raises:
        UserError: the class refuses them.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**config).to_dict()
    except Exception as error:  # whatever the class makes of a user's values
        first = next(iter(str(error).splitlines()), "")
        raise UserError(
            f"{folder / 'config.json'} is refused by its class ({first}); copy it from the checkpoint again."
        ) from error


def record_folder(
    settings: Mapping[str, Any],
    folder: Path,
    *,
    key: str,
    record: Path,
    origin: Mapping[str, Any] | None = None,
    exposure: str | None = None,
) -> None:
    """Write the `base.json` of a folder with a whole model.

    Args:
        settings: that the folder was told of.
        folder: where the model lies.
        key: of the configuration, for sentences about it.
        record: where the record goes, in the folder named as the model.
        origin: where the files come from, if they were fetched or made from others.
        exposure: whether the model may have read the test sets, where the folder does not say it.

    Raises:
        UserError: a file is missing or broken, two of them contradict each other, the family is not supported, or the
            tokenizer is not as the family has it.
    """
    shape = check_folder(folder, key=key)
    weights = weight_files(folder, key=key)
    check_weights(folder, read_config(folder, key=key), key=key, shape=shape)
    check_numbers(weights)
    check_tokenizer(folder, key=key, model=label_of(record.parent.name), prompt=settings.get("prompt"))
    content = ModelRecord(
        model=label_of(record.parent.name),
        folder=str(folder),
        settings=dict(settings),
        execution={},
        versions=versions(),
        total_parameters=shape.total,
        sha256={file.name: sha256_of(file) for file in (*weights, folder / "config.json", *tokenizer_files(folder))},
        training={},
        origin=dict(origin or {}),
        exposure=exposure or exposure_of(folder),
    )
    write_record(record, content.model_dump())
