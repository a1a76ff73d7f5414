"""Summarise the systems of a study on other pairs than their own: scores, and differences to the untouched model."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import Cell, OnPair, cell_blocks, unfold
from mtpeft.config import metrics
from mtpeft.steps.cells_of_studies import cell_records, other_records, placed_study_others, placed_untouched
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the summary: the cells that are scored on each pair, and the untouched models there."""
    cells: dict[str, list[Cell]] = {}
    for cell, pair in placed_study_others(configuration, study):
        cells.setdefault(pair, []).append(cell)
    return {
        "cells": {pair: cell_blocks(own) for pair, own in cells.items()},
        "elsewhere": {pair: digest for own in cells.values() for pair, digest in own[0].elsewhere.items()},
        "untouched": cell_blocks(placed_untouched(configuration, study)),
        **metrics.params_of_metrics(configuration),
    }


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """Records of a study's tuned cells on other pairs, and of the untouched models there."""
    others = placed_study_others(configuration, study)
    tuned = dict.fromkeys(other.cell for other in others)
    before = placed_untouched(configuration, study)
    return {
        "records": [*(f"{cell.folder}/train.json" for cell in tuned), *other_records(others), *cell_records(before)]
    }


def run(params: Params, *, output: Path, page: Path) -> None:
    """Summarise systems on other pairs than those that they were tuned on."""
    from mtpeft.analysis.other_pairs import write_others
    from mtpeft.analysis.score_tables import metrics_of_params

    blocks = params["cells"].items()
    others = [OnPair(cell, pair) for pair, own in blocks for cell in unfold(own, elsewhere=params["elsewhere"])]
    before, metrics = unfold(params["untouched"]), metrics_of_params(params, ())
    write_others(others, before=before, output=output, page=page, metrics=metrics)


STEP = Step("summarise_others", 2, ("study",), params, run, inputs, makes=("output", "page"))
