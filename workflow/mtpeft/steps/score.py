"""Score the hypotheses of a cell: `score.json`, with counts for every sentence, from which resampling starts."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.config import metrics, pairs
from mtpeft.steps.decontaminate_pair import references
from mtpeft.steps.step import Inputs, Params, Step, by_stem

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the scoring of a cell."""
    source, target = pairs.pair_languages(configuration, cell.pair)
    return {"source": source, "target": target} | metrics.params_of_metrics(configuration)


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """Text of the test sets."""
    return {"references": references(configuration, cell.pair)}


def run(params: Params, *, cell: Cell, decoded: Path, references: list[Path], record: Path) -> None:
    """Score a cell's hypotheses."""
    from mtpeft.metrics.score import score

    score(params, cell, decoded=decoded, references=by_stem(references), record=record)


STEP = Step("score", 2, DIMENSIONS, params, run, inputs, starts_slowly=True)
