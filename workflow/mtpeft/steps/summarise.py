"""Summarise systems, each over its seeds: scores and differences with their intervals, in `summary.csv`."""

from pathlib import Path

from mtpeft.steps.collect_scores import chosen, inputs, params
from mtpeft.steps.step import Params, Step


def run(params: Params, *, output: Path, page: Path) -> None:
    """Summarise systems over their seeds, with intervals."""
    from mtpeft.analysis.summary import write_summary

    write_summary(**chosen(params), output=output, page=page)


STEP = Step("summarise", 2, ("study",), params, run, inputs, makes=("output", "page"))
