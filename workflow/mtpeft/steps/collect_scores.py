"""Collect the records of cells into tidy tables: `scores.csv`, and `costs.csv` for what a rerun measures anew."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import Cell, cells_told
from mtpeft.steps.cells_of_studies import cell_records, cells_params, comet_records, drawn_cells
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the tables of a study, or of all cells for `efficiency`."""
    return cells_params(drawn_cells(configuration, study))


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """Records of every cell that the study is drawn from."""
    cells = drawn_cells(configuration, study)
    return {"records": cell_records(cells), "comet": comet_records(configuration, cells)}


def chosen(params: Params) -> dict[str, Collection[Cell] | None]:
    """Cells of a table, and those of them that COMET has scored: all, if it was asked to."""
    cells = cells_told(params)
    return {"cells": cells, "comet": cells if params.get("comet") else None}


def run(params: Params, *, scores: Path, costs: Path) -> None:
    """Collect the records of cells into tables."""
    from mtpeft.analysis.collect import write_tables

    write_tables(**chosen(params), scores=scores, costs=costs)


STEP = Step("collect_scores", 0, ("study",), params, run, inputs, makes=("scores", "costs"))
