"""Split the feed-forward blocks of a cell's model into experts: `experts/<split>-<digest>/experts.safetensors`.

Which experts are active is no part of it: all numbers of them share one split and its routers.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, DIMENSIONS, Cell, digest_of, name_of
from mtpeft.config import decoding, serving
from mtpeft.core.errors import UserError
from mtpeft.steps.base_models import tokens_folder
from mtpeft.steps.cell_params import translation_params
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def model_params(configuration: "Configuration", cell: Cell) -> Params:
    """Params that open a cell's model: how it translates is left out."""
    given = translation_params(configuration, cell)
    inference = decoding.inference_params(configuration, cell)
    return {key: own for key, own in given.items() if key != "search"} | ({"inference": inference} if inference else {})


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the split.

    Raises:
        UserError: the configuration does not say how blocks are split.
    """
    if configuration.serving is None:
        raise UserError("'serving' is missing; write how feed-forward blocks are split into experts.")
    return model_params(configuration, cell) | {"moe": serving.split_params(configuration)}


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """Token arrays of the training text, and the rows of it that the cell was trained on.

    Raises:
        UserError: it has no model.
    """
    if cell.model == ANY:
        raise UserError(f"The cell {cell.path} has no model, so it has no experts; name one that has.")
    arrays = {"train": f"{tokens_folder(configuration, cell.model, cell.pair)}/train.safetensors"}
    return arrays if cell.size == ANY else arrays | {"subset": subset_file(configuration, cell, cell.pair)}


def experts_name(configuration: "Configuration") -> str:
    """Name of the folder of a split: what it is, and a digest of how it is made."""
    made = serving.split_params(configuration)
    return name_of(f"{made['experts']}-{made['split']}-{made['router']}", digest_of(made))


def run(
    params: Params,
    *,
    cell: Cell,
    trained: Path,
    train: Path,
    output: Path,
    record: Path,
    devices: Devices,
    subset: Path | None = None,
) -> None:
    """Split the feed-forward blocks of a cell into experts, and make their routers."""
    with devices.one_gpu():
        from mtpeft.decoding.experts.split_experts import split_experts

        split_experts(params, cell, trained=trained, train=train, subset=subset, output=output, record=record)


STEP = Step("split_experts", 1, DIMENSIONS, params, run, inputs, makes=("output", "record"), starts_slowly=True)
