"""Score the hypotheses of a cell with a metric that has an environment of its own: `<metric>-<digest>.json`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import DIMENSIONS, Cell, name_of
from mtpeft.config import metrics
from mtpeft.steps.decontaminate_pair import references
from mtpeft.steps.devices import Devices
from mtpeft.steps.step import Inputs, Params, Step, by_stem
from mtpeft.steps.take_in_metric import asked, model_record

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def record_names(configuration: "Configuration") -> list[str]:
    """Names of the records with the scores of a cell, without their ending, of all metrics that are asked for."""
    return [name_of(metric, digest) for metric, digest in metrics.metric_digests(configuration).items()]


def threads(configuration: "Configuration", metric: str) -> int:
    """Torch's threads of a metric."""
    environment, section = asked(configuration, metric)
    return environment.score_params(section).get("threads", 1)


def params(configuration: "Configuration", cell: Cell, metric: str) -> Params:
    """Params of the scoring of any cell. The model is an input file."""
    environment, section = asked(configuration, metric)
    return metrics.params_of_metric(metric) | environment.scoring(section)


def inputs(configuration: "Configuration", cell: Cell, metric: str) -> Inputs:
    """Text of the test sets, and the model."""
    return {"references": references(configuration, cell.pair), "model": model_record(configuration, metric)}


def run(
    params: Params, *, cell: Cell, decoded: Path, references: list[Path], model: Path, environment: Path, record: Path
) -> None:
    """Score a cell's hypotheses with a metric that has an environment of its own."""
    from mtpeft.metrics.base import metric_in
    from mtpeft.metrics.score_with_metric import score_with_metric

    with Devices().one_gpu():
        score_with_metric(
            metric_in(params),
            params,
            cell,
            decoded=decoded,
            references=by_stem(references),
            model=model,
            environment=environment,
            record=record,
        )


STEP = Step("score_with_metric", 1, (*DIMENSIONS, "metric"), params, run, inputs)
