"""The figures that come with the project are those that its tables give: the image of each is compared."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY, study_cells, system_labels
from mtpeft.figures.draw import draw_figure
from mtpeft.steps.cells_of_studies import figure_tables
from support.example import EXAMPLE
from support.pages import ROOT
from support.steps import params_of

FULL = load([ROOT / "workflow/studies/full.yaml"])
METHODS = load([ROOT / "workflow/studies/methods.yaml"])
SHOWN = [*((FULL, study, EXAMPLE) for study in (*FULL.studies, EFFICIENCY)), (METHODS, "methods", EXAMPLE / "methods")]
WIDTH = 700
"""Pixels of the images that are compared; fewer than of a figure, so that single pixels do not matter."""
LARGEST = 2.0
"""Root of the mean squared difference of two images, of 255; a marker in another place makes more."""


def _difference(one: Image.Image, other: Image.Image) -> float:
    small = [
        np.asarray(own.resize((WIDTH, round(own.height * WIDTH / own.width)), Image.Resampling.LANCZOS), dtype=float)
        for own in (one.convert("RGB"), other.convert("RGB"))
    ]
    return float(np.sqrt(((small[0] - small[1]) ** 2).mean()))


def _redrawn(configuration: Configuration, study: str, folder: Path, to: Path) -> Image.Image:
    """The figure of a study, from the rows of its cells in the tables of a folder."""
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as lines:
        header, *rows = list(csv.reader(lines))
    if study != EFFICIENCY:
        own = {system_labels(cell) for cell in study_cells(configuration, configuration.studies[study])}
        rows = [row for row in rows if tuple(row[:5]) in own]
    with (to / "summary.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    tables = [
        folder / Path(table).name for table in (figure_tables(configuration, study) if study != EFFICIENCY else [])
    ]
    params = params_of("draw_figure", configuration, study)
    draw_figure(params, summary=to / "summary.csv", tables=tables, stem=to / study)
    return Image.open(to / f"{study}.png")


@pytest.mark.parametrize(("configuration", "study", "folder"), SHOWN, ids=[study for _, study, _ in SHOWN])
def test_a_figure_looks_as_the_one_that_is_shown(
    configuration: Configuration, study: str, folder: Path, tmp_path: Path
) -> None:
    shown, found = Image.open(folder / f"{study}.png"), _redrawn(configuration, study, folder, tmp_path)
    assert found.size == shown.size
    assert _difference(found, shown) < LARGEST


def test_a_moved_marker_is_seen() -> None:
    shown = Image.open(EXAMPLE / "budgets.png").convert("RGB")
    marker = shown.crop((360, 260, 430, 310))
    moved = shown.copy()
    moved.paste(marker, (360, 330))
    assert _difference(shown, moved) > 0
    assert _difference(shown, shown.rotate(0, translate=(0, 8))) > LARGEST
