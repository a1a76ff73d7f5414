"""Write the summary of a study as a page for the report."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.cells_of_studies import tables_folder
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", study: str) -> Params:
    """Params of the page: its title."""
    return {"title": study}


def inputs(configuration: "Configuration", study: str) -> Inputs:
    """The summary of the study."""
    return {"summary": f"{tables_folder(configuration, study)}/summary.csv"}


def pages(configuration: "Configuration") -> list[str]:
    """Pages of all studies."""
    return [f"{tables_folder(configuration, label)}/summary.html" for label in configuration.studies]


def run(params: Params, *, summary: Path, page: Path) -> None:
    """Write the summary of a study as a page of HTML, which the report shows."""
    from mtpeft.analysis.report_table import write_report_table

    write_report_table(summary, page, title=params["title"])


STEP = Step("write_report_table", 1, ("study",), params, run, inputs, makes=("page",))
