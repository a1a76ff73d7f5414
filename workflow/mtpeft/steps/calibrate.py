"""Calibrate the plan: `results/calibration/<model>-<digest>/<method>-<digest>.json`, which no study asks for.

The cell whose updates are timed is the first of the studies that has the model and the method.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, Cell, digest_of, label_of, name_of
from mtpeft.config import studies
from mtpeft.core.errors import UserError
from mtpeft.steps.base_models import model_name
from mtpeft.steps.clean_pair import CACHED
from mtpeft.steps.decontaminate_pair import pair_digest
from mtpeft.steps.devices import Devices
from mtpeft.steps.search_rate import files_of_each, training_files, training_params
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

UPDATES = 20
"""Updates that are timed."""
LABELS = ("model", "method")


def calibrated_cells(configuration: "Configuration") -> list[Cell]:
    """The first cell of the studies with each model and method that trains something."""
    from mtpeft.methods import method_for  # `mtpeft --help` reads this module, and needs no method

    found: dict[tuple[str, str], Cell] = {}
    for cell in studies.all_cells(configuration):
        if cell.model != ANY and method_for(configuration.methods[cell.method]).trains != "none":
            found.setdefault((cell.model, cell.method), cell)
    return list(found.values())


def cell_of(configuration: "Configuration", model: str, method: str) -> Cell:
    """The cell whose updates are timed.

    Raises:
        UserError: no study has the method with the model.
    """
    for cell in calibrated_cells(configuration):
        if (cell.model, cell.method) == (model, method):
            return cell
    raise UserError(f"No study has the method '{method}' with the model '{model}'; name two that some study has.")


def params(configuration: "Configuration", model: str, method: str) -> Params:
    """Params of the training of that cell, with few updates and no learning rate."""
    made = training_params(configuration, cell_of(configuration, model, method))
    return made | {"optimisation": made["optimisation"] | {"updates": UPDATES}}


def inputs(configuration: "Configuration", model: str, method: str) -> Inputs:
    """The base model, token arrays and subsets of that cell's pairs."""
    files = training_files(configuration, cell_of(configuration, model, method))
    return {name: own for name, own in files.items() if name != "start"}


@lru_cache(maxsize=CACHED)
def calibration_file(configuration: "Configuration", model: str, method: str) -> str:
    """The record of the calibration of a model with a method."""
    texts = [pair_digest(configuration, pair) for pair in cell_of(configuration, model, method).members]
    digest = digest_of(params(configuration, model, method), texts)
    return f"results/calibration/{model_name(configuration, model)}/{name_of(method, digest)}.json"


def calibrations(configuration: "Configuration") -> list[str]:
    """Records of all calibrations that the studies may need."""
    return [calibration_file(configuration, cell.model, cell.method) for cell in calibrated_cells(configuration)]


def run(
    params: Params,
    *,
    base: Path,
    train: list[Path],
    dev: list[Path],
    dev_text: list[Path],
    subset: list[Path],
    record: Path,
    devices: Devices,
) -> None:
    """Time twenty updates and a decoded batch of a model with a method, for the plan."""

    def calibrate_here() -> None:
        from mtpeft.training.calibrate import calibrate

        labels = dict(zip(LABELS, (label_of(record.parent.name), label_of(record.stem)), strict=True))
        first, *others = files_of_each(base, train, dev, dev_text=dev_text, subset=subset, start=[])
        files = replace(first, others=tuple(others))
        calibrate(params, labels=labels, inputs=files, record=record, execution=devices.execution)

    devices.on_all(calibrate_here)


STEP = Step(
    "calibrate",
    1,
    LABELS,
    params,
    run,
    inputs,
    record="results/calibration/{model}/{method}.json",
    starts_slowly=True,
)
