"""Pre-train a base model from nothing: `results/models/<model>-<digest>/checkpoint/`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import model_shapes
from mtpeft.steps.base_models import (
    BASE_RECORD,
    base_file,
    comes_from,
    pretrain_params,
    tokens_folder,
    vocabulary_folder,
)
from mtpeft.steps.devices import Devices
from mtpeft.steps.encode_pair import tokenizer_file
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """The tokenizer, token arrays of all pairs that the model is pre-trained on, and its teacher if it has one."""
    pretrain = configuration.models[model].pretrain
    pairs, inherit = pretrain.pairs, pretrain.inherit
    folders = [tokens_folder(configuration, model, pair) for pair in pairs]
    return {
        "vocabulary": tokenizer_file(configuration, model_shapes.vocabulary_of(configuration, model)),
        "train": [f"{folder}/pretrain.safetensors" for folder in folders],
        "dev": [f"{folder}/dev.safetensors" for folder in folders],
        **({"teacher": base_file(configuration, inherit.model)} if inherit else {}),
    }


def tokenizer_folder(configuration: "Configuration", model: str) -> str:
    """The folder of the vocabulary that the model is pre-trained with."""
    return vocabulary_folder(configuration, model_shapes.vocabulary_of(configuration, model))


def run(
    params: Params,
    *,
    tokenizer: Path,
    train: list[Path],
    dev: list[Path],
    record: Path,
    devices: Devices,
    teacher: Path | None = None,
) -> None:
    """Pre-train a model from nothing; its state lies in an undeclared folder and is resumed."""

    def pretrain_here() -> None:
        from mtpeft.training.attempt_log import starting, state_folder

        with starting(state_folder(record)):
            from mtpeft.training.pretrain import pretrain

        pretrain(
            params,
            tokenizer=tokenizer,
            train_arrays=train,
            dev_arrays=dev,
            record=record,
            teacher=teacher,
            execution=devices.execution,
        )

    devices.on_all(pretrain_here)


STEP = Step(
    "pretrain",
    1,
    ("model",),
    pretrain_params,
    run,
    inputs,
    record=BASE_RECORD,
    makes_it=comes_from("pretrain"),
    starts_slowly=True,
)
