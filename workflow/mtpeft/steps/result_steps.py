"""Steps that make tables, findings and figures of records.

Each gets its files and settings as the command line has them, and loads what it needs when it runs.
"""

import argparse
from typing import Any

from mtpeft.steps.step import Step


def _collect(given: argparse.Namespace) -> None:
    from mtpeft.analysis.score_tables import write_tables

    write_tables(**_cells(given), scores=given.scores, costs=given.costs)


def _cells(given: argparse.Namespace) -> dict[str, Any]:
    """Cells of a table, and the metrics that they were scored with."""
    from mtpeft.analysis.score_tables import metrics_of_params
    from mtpeft.cells import cells_told

    cells = cells_told(given.settings)
    return {"cells": cells, "metrics": metrics_of_params(given.settings, cells)}


def _summarise(given: argparse.Namespace) -> None:
    from mtpeft.analysis.summary import write_summary

    write_summary(**_cells(given), output=given.output, page=given.page)


def _others(given: argparse.Namespace) -> None:
    from mtpeft.analysis.other_pairs import write_others
    from mtpeft.analysis.score_tables import metrics_of_params
    from mtpeft.cells import OnPair, unfold

    told = given.settings
    blocks = told["cells"].items()
    others = [OnPair(cell, pair) for pair, own in blocks for cell in unfold(own, elsewhere=told["elsewhere"])]
    metrics = metrics_of_params(told, ())
    write_others(others, before=unfold(told["untouched"]), output=given.output, page=given.page, metrics=metrics)


def _representations(given: argparse.Namespace) -> None:
    from mtpeft.analysis.representations import write_representations
    from mtpeft.cells import unfold

    write_representations(unfold(given.settings["cells"]), output=given.output)


def _text(given: argparse.Namespace) -> None:
    from mtpeft.analysis.text_table import write_text_table

    write_text_table(
        given.settings["tested"], texts=given.texts, arrays=given.arrays, output=given.output, page=given.page
    )


def _findings(given: argparse.Namespace) -> None:
    from mtpeft.analysis.findings.assess import write_findings
    from mtpeft.analysis.score_tables import metrics_of_params
    from mtpeft.config.contrasts import claim_cells

    metrics = metrics_of_params(given.settings, claim_cells(given.settings))
    write_findings(
        given.settings, similarities=given.similarities, record=given.record, page=given.page, metrics=metrics
    )


def _figure(given: argparse.Namespace) -> None:
    from mtpeft.figures.draw import draw_figure

    draw_figure(
        given.settings,
        summary=given.summary,
        others=given.others,
        representations=given.representations,
        stem=given.stem,
    )


RESULT_STEPS: dict[str, Step] = {
    "collect": (_collect, "scores costs", "collect records into tables"),
    "summarise": (_summarise, "output page", "summarise systems over their seeds, with intervals"),
    "others": (_others, "output page", "summarise systems on other pairs than those that they were tuned on"),
    "representations": (_representations, "output", "collect the representations of cells into a table"),
    "text": (_text, "texts* arrays* output page", "describe the test sentences as the models read them"),
    "findings": (_findings, "similarities* record page", "test the claims of the configuration"),
    "figure": (_figure, "summary others* representations* stem", "draw a figure from a summary"),
}
