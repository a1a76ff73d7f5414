"""Draw the figure of a study from its tables: `figures/<study>.{pdf,svg,png}`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, VERSION
from mtpeft.config import contrasts, methods, metrics, studies
from mtpeft.config import figures as figures_config
from mtpeft.steps.cells_of_studies import (
    figure_tables,
    placed_drawn_cells,
    placed_study_others,
    results_folder,
    tables_folder,
)
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

FORMATS = ("pdf", "svg", "png")


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the figure of a study; `efficiency` is drawn from the cells of all studies.

    The version is that of the figure. All methods are named, so that each has the same colour in every figure, and
    models in the order of the study.
    """
    entry = configuration.studies.get(study)
    cells, others = placed_drawn_cells(configuration, study), placed_study_others(configuration, study)
    drawn = [entry] if entry else configuration.studies.values()
    figure = figures_config.figure_of(configuration, study)
    return {
        VERSION: figure.version,
        "figure": figure.name,
        **({"module": figure.module} if figure.module else {}),
        "study": study,
        "cells": len(cells),
        "stamp": "; ".join(dict.fromkeys(filter(None, (study.stamp for study in drawn)))),
        "languages": {
            pair: language
            for pair in sorted({member for cell in cells for member in cell.members})
            if (language := contrasts.foreign_language(configuration, pair))
        },
        **figure.params(configuration, study),
        **({"others": len(others), "also_score": entry.also_score} if others else {}),
        **(metrics.params_of_metric(entry.metric) if entry else {}),
        **_examples(configuration, {cell.method for cell in cells}),
        "methods": sorted(configuration.methods),
        "models": [label for label in dict.fromkeys(cell.model for cell in cells) if label != ANY] if entry else [],
    }


def _examples(configuration: "Configuration", labels: Iterable[str]) -> Params:
    """How many examples each method of in-context learning reads, and which, where a figure has several of them."""
    entries = {label: configuration.methods[label] for label in sorted(labels)}
    found = {label: f"{own.shots} {own.choose}" for label, own in entries.items() if own.method == methods.IN_CONTEXT}
    return {"examples": found} if len(found) > 1 else {}


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """The summary of the study, and further tables where its figure needs them."""
    return {
        "summary": f"{tables_folder(configuration, study)}/summary.csv",
        "tables": figure_tables(configuration, study),
    }


def figures(configuration: "Configuration") -> list[str]:
    """Figure files of all studies, and of what all their cells cost."""
    return [file for label in (*configuration.studies, studies.EFFICIENCY) for file in figures_of(configuration, label)]


def figures_of(configuration: "Configuration", label: str) -> list[str]:
    """Files of one figure."""
    return [f"{results_folder(configuration)}/figures/{label}.{suffix}" for suffix in FORMATS]


def captions(configuration: "Configuration") -> dict[str, str]:
    """The report's caption of each figure, by the label of its study."""
    from mtpeft.metrics.base import DEFAULT_METRIC

    shown = {label: study.metric for label, study in configuration.studies.items()}
    shown[studies.EFFICIENCY] = DEFAULT_METRIC
    return {
        label: figures_config.figure_of(configuration, label).report_text(metric) for label, metric in shown.items()
    }


def run(params: Params, *, summary: Path, tables: list[Path], stem: Path) -> None:
    """Draw a figure from tables."""
    from mtpeft.figures.draw import draw_figure

    draw_figure(params, summary=summary, tables=tables, stem=stem)


STEP = Step("draw_figure", 1, ("study",), params, run, inputs, makes=("stem",))
