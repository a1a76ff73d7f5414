"""Collect the scores of a study's cells that were decoded with some of their experts: `serving.csv`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import Served, cell_blocks, unfold
from mtpeft.config import metrics, serving
from mtpeft.steps.cells_of_studies import cell_records, placed_served, served_records
from mtpeft.steps.split_experts import experts_name
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the table: the cells of the study, their split, and the numbers of active experts."""
    cells = dict.fromkeys(own.cell for own in placed_served(configuration, study))
    return {
        "cells": cell_blocks(cells),
        "experts": experts_name(configuration),
        "active": serving.active_experts(configuration),
        "of": configuration.serving.moe.experts,
        **metrics.params_of_metrics(configuration),
    }


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """Records of the cells of the study, as they are and with some of their experts."""
    served = placed_served(configuration, study)
    return {"records": [*cell_records(dict.fromkeys(own.cell for own in served)), *served_records(served)]}


def served_of(params: Params) -> list[Served]:
    """The cells of a table with each number of active experts."""
    cells = unfold(params["cells"])
    return [Served(cell, params["experts"], active) for cell in cells for active in params["active"]]


def run(params: Params, *, output: Path) -> None:
    """Collect the scores of cells with some of their experts into a table."""
    from mtpeft.analysis.score_tables import metrics_of_params
    from mtpeft.analysis.serving import write_serving

    write_serving(served_of(params), experts=params["of"], output=output, metrics=metrics_of_params(params, ()))


STEP = Step("collect_serving", 1, ("study",), params, run, inputs, makes=("output",))
