"""Write the page of a study file, and the scripts beside it."""

import json
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtpeft.config.schema import Configuration
from mtpeft.config.studies import NONE
from mtpeft.core.files import write_text
from mtpeft.front.page.after_sweep import PAGE
from mtpeft.front.page.answers import choice_of, findings_of, limits_of
from mtpeft.front.page.background import bases_of, texts_of
from mtpeft.front.page.charts import specifications
from mtpeft.front.page.gather import Results, ScoredCell, read_results
from mtpeft.front.page.libraries import data_tables, safe_script, vega
from mtpeft.front.page.matrices import compare
from mtpeft.front.page.measured import MeasuredCell, SettingKey, read_cells, setting_of, settings
from mtpeft.front.page.payload import matrix_rows, payload, styles_of
from mtpeft.front.page.scripts import read_similarities, write_cell_script, write_text_script
from mtpeft.front.page.tradeoff import fronts
from mtpeft.metrics.base import DEFAULT_METRIC
from mtpeft.steps.cells_of_studies import results_folder

SCRIPTS = "page"
ASSETS = files("mtpeft.front.page") / "assets"
OWN_SCRIPTS = (
    *("data.js", "view.js", "drawing.js", "answer.js", "charts.js", "cost.js"),
    *("compare.js", "cells.js", "translations.js", "main.js"),
)
SUBSET = "subset_sha256"


def write_page(configuration: Configuration) -> Path:
    """Write `index.html` and its scripts into the folder of a study file; returns the page.

    Raises:
        UserError: there are no tables yet, or one can't be read.
    """
    results = read_results(configuration)
    folder = results_folder(configuration)
    write_text(folder / PAGE, html(content_of(results) | _compared(results, folder / SCRIPTS)))
    return folder / PAGE


def content_of(results: Results) -> dict[str, Any]:
    """The data of the page that tables and findings have, without comparisons, which need the records."""
    return payload(results) | {
        "findings": findings_of(results),
        "limits": limits_of(results),
        "texts": texts_of(results),
        "bases": bases_of(results),
        "fronts": {metric: fronts(systems, metric) for metric, systems in results.systems.items()},
        "charts": specifications(styles_of(results)),
    }


def _compared(results: Results, folder: Path) -> dict[str, Any]:
    """Compare the systems of each setting, and write the scripts of its cells, so that each record is read once."""
    found, choices = [], []
    similarities = read_similarities(folder.parent)
    sources: dict[tuple[str, str], Any] = {}
    for setting, cells in settings(results.cells).items():
        measured = list(read_cells(cells, results.metrics))
        compared = compare(setting, measured)
        found += [matrix_rows(matrix) for matrix in compared.matrices]
        choice = choice_of(setting, compared, results.systems[DEFAULT_METRIC])
        choices += [choice] if choice else []
        for own in _of_setting(measured, setting):
            text = own.cell.on.pair, own.cell.test_set
            if text not in sources:
                sources[text] = write_text_script(results.configuration, own.cell, folder)
            subset = own.train.get("inputs", {}).get(SUBSET, "")
            write_cell_script(
                own,
                next((one for one in measured if one.cell.on.cell.method == NONE and one is not own), None),
                sources=sources[text],
                similarity=similarities.get(subset),
                folder=folder,
            )
    _remove_left_over(folder, results.cells)
    return {"matrices": found, "choices": choices}


def _of_setting(measured: list[MeasuredCell], setting: SettingKey) -> Iterator[MeasuredCell]:
    return (own for own in measured if setting_of(own.cell) == setting)


def _remove_left_over(folder: Path, cells: tuple[ScoredCell, ...]) -> None:
    """Remove the scripts of cells that the study file no longer has."""
    known = {cell.key for cell in cells}
    places = {file.parent for file in list((folder / "cells").rglob("*.js"))}
    for place in places:
        if str(place.relative_to(folder / "cells")) not in known:
            shutil.rmtree(place, ignore_errors=True)


def html(content: dict[str, Any]) -> str:
    """The page with its libraries, its style, its data and its own scripts inside."""
    table_script, table_style = data_tables()
    parts = {
        "title": content["study"],
        "styles": table_style + _asset("page.css"),
        "libraries": f"{vega()}\n</script>\n<script>\n{table_script}",
        "data": json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "scripts": safe_script("\n".join(map(_asset, OWN_SCRIPTS))),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
