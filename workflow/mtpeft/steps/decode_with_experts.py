"""Decode the test sets of a cell with some of its experts: `experts/<split>-<digest>/<active>/hypotheses/`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.config import corpora, decoding
from mtpeft.steps.base_models import tokens_folder
from mtpeft.steps.devices import Devices
from mtpeft.steps.split_experts import model_params
from mtpeft.steps.step import Inputs, Params, Step, by_stem

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", cell: Cell, active: str) -> Params:
    """Params of the decoding of a cell with so many experts for each token."""
    search = {"search": decoding.search_params(configuration)}
    return model_params(configuration, cell) | search | {"active": int(active)}


def inputs(configuration: "Configuration", cell: Cell, active: str) -> Inputs:
    """Token arrays of the test sets."""
    arrays = tokens_folder(configuration, cell.model, cell.pair)
    return {"tests": [f"{arrays}/{name}.safetensors" for name in corpora.test_sets(configuration, cell.pair)]}


def run(
    params: Params,
    *,
    cell: Cell,
    trained: Path,
    experts: Path,
    tests: list[Path],
    record: Path,
    devices: Devices,
) -> None:
    """Translate the test sets with some of the experts of a trained cell."""
    with devices.one_gpu():
        from mtpeft.decoding.experts.decode_with_experts import decode_with_experts

        decode_with_experts(params, cell, trained=trained, experts=experts, tests=by_stem(tests), record=record)


STEP = Step("decode_with_experts", 1, (*DIMENSIONS, "active"), params, run, inputs, starts_slowly=True)
