"""Measure the effective rank of the hidden states of a cell's layers on a dev set: `representations.json`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, DIMENSIONS, Cell
from mtpeft.config import contrasts
from mtpeft.core.errors import UserError
from mtpeft.steps.base_models import tokens_folder
from mtpeft.steps.cell_params import translation_params
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

RANK_RESAMPLES = 500
"""Resampled dev sets: enough for tests at 0.05 that are corrected over some ten systems."""


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the measurement; how the cell translates does not matter.

    Ranks are resampled only for the cells of a study on which a claim about them is tested.
    """
    given = {key: value for key, value in translation_params(configuration, cell).items() if key != "search"}
    return given | ({"resamples": RANK_RESAMPLES} if cell in contrasts.cells_with_ranks(configuration) else {})


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """Token arrays of the dev set of the cell's pair.

    Raises:
        UserError: it has no model.
    """
    if cell.model == ANY:
        raise UserError(f"The cell {cell.path} has no model, so it has no representations; name one that has.")
    return {"dev": f"{tokens_folder(configuration, cell.model, cell.pair)}/dev.safetensors"}


def run(params: Params, *, cell: Cell, trained: Path, dev: Path, record: Path, devices: Devices) -> None:
    """Measure the rank of the hidden states of a cell's layers."""
    with devices.one_gpu():
        from mtpeft.decoding.representations import measure_representations

        measure_representations(
            params, cell, trained=trained, dev=dev, record=record, offload=devices.execution.offload
        )


STEP = Step("represent", 1, DIMENSIONS, params, run, inputs, starts_slowly=True)
