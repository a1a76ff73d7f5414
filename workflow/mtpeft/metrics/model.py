"""Take in the model that a metric scores with: find or fetch it, load it once, and record the hashes of its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.files import sha256_of, write_record
from mtpeft.metrics.base import Metric, own_environment_of
from mtpeft.metrics.environment import ask_for_scores
from mtpeft.metrics.own_environment import MetricModel


def take_in_model(metric: Metric, params: Mapping[str, Any], *, environment: Path, record: Path) -> None:
    """Write the record of a metric's model.

    A model is loaded once, so that one that can't be loaded fails in one job, and not in every cell.

    Args:
        metric: one with an environment of its own.
        params: which model it is.
        environment: record of the environment, in its folder.
        record: where the record goes; what is fetched is put beside it.

    Raises:
        UserError: a part is missing or wrong, or could not be fetched, or the metric's program does not start.
        TryAgainError: there was too little memory.
    """
    own = own_environment_of(metric)
    unnamed = MetricModel(f"{own.package} {own.version}")
    model = own.find_model(params, record.parent) if own.find_model else unnamed
    content = {
        "params": dict(params),
        "name": model.name,
        **model.places,
        "commits": dict(model.commits),
        "sha256": {str(file): sha256_of(file) for file in model.files},
    }
    # The process that keeps the model loaded finds it by the record.
    write_record(record, content)
    try:
        ask_for_scores(metric, environment.parent, model=record, sets={}, params=params)
    except BaseException:
        record.unlink()
        raise
