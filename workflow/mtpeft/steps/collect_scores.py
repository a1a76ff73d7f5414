"""Collect the records of cells into tidy tables: `scores.csv`, and `costs.csv` for what a rerun measures anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import cells_in_params
from mtpeft.steps.cells_of_studies import cell_records, cells_params, metric_records, placed_drawn_cells
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the tables of a study, or of all cells for `efficiency`."""
    return cells_params(configuration, placed_drawn_cells(configuration, study))


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """Records of every cell that the study is drawn from."""
    cells = placed_drawn_cells(configuration, study)
    return {"records": cell_records(cells), "metrics": metric_records(configuration, cells)}


def chosen(params: Params) -> dict[str, Any]:
    """Cells of a table, and the metrics that all of them were scored with."""
    from mtpeft.analysis.score_tables import metrics_of_params

    cells = cells_in_params(params)
    return {"cells": cells, "metrics": metrics_of_params(params, cells)}


def run(params: Params, *, scores: Path, costs: Path) -> None:
    """Collect the records of cells into tables."""
    from mtpeft.analysis.score_tables import write_tables

    write_tables(**chosen(params), scores=scores, costs=costs)


STEP = Step("collect_scores", 1, ("study",), params, run, inputs, makes=("scores", "costs"))
