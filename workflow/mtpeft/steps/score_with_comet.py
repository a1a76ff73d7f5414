"""Score the hypotheses of a cell with COMET: `comet-<digest>.json`, with a score for every sentence."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.metrics.comet import metric
from mtpeft.steps.devices import Devices
from mtpeft.steps.divide_pair import references
from mtpeft.steps.step import Inputs, Params, Step, by_stem
from mtpeft.steps.take_in_comet import asked, model_record

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", cell: Cell) -> Params:
    """Params of the scoring of any cell."""
    return metric.score_params(asked(configuration))


def inputs(configuration: "Configuration", cell: Cell) -> Inputs:
    """Text of the test sets, the model, and the environment."""
    return {"references": references(configuration, cell.pair), "model": model_record(configuration)}


def run(
    params: Params, *, cell: Cell, decoded: Path, references: list[Path], model: Path, environment: Path, record: Path
) -> None:
    """Score a cell's hypotheses with COMET."""
    from mtpeft.metrics.comet.score import score_with_comet

    with Devices().one_gpu():
        score_with_comet(
            params,
            cell,
            decoded=decoded,
            references=by_stem(references),
            model=model,
            environment=environment,
            record=record,
        )


STEP = Step("score_with_comet", 1, DIMENSIONS, params, run, inputs)
