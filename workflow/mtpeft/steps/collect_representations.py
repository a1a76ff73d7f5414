"""Collect the representations of the cells of a study in one table, by layer: `representations.csv`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import cell_blocks, unfold
from mtpeft.steps.cells_of_studies import cell_files, placed_drawn_cells, placed_represented
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the table: the cells of the study."""
    return {"cells": cell_blocks(placed_drawn_cells(configuration, study))}


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """Records of the representations of the study."""
    return {"records": cell_files(placed_represented(configuration, study), "representations.json")}


def run(params: Params, *, output: Path) -> None:
    """Collect the representations of cells into a table."""
    from mtpeft.analysis.representations import write_representations

    write_representations(unfold(params["cells"]), output=output)


STEP = Step("collect_representations", 1, ("study",), params, run, inputs, makes=("output",))
