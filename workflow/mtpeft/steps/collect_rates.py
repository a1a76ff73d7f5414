"""Collect all searches for learning rates in one table, which a configuration can name in `rate_search.table`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.search_rate import STEP as SEARCH_RATE
from mtpeft.steps.search_rate import searches
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration") -> Inputs:
    """Records of all searches."""
    return {"records": searches(configuration)}


def run(params: Params, *, records: list[Path], output: Path) -> None:
    """Collect searches for learning rates into a table."""
    from mtpeft.analysis.rates_table import write_rates

    write_rates(records, output)


STEP = Step("collect_rates", SEARCH_RATE.version, (), lambda configuration: {}, run, inputs, makes=("output",))
