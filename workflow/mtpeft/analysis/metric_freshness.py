"""Tell which cells the metrics with a step of their own have scored as they would now."""

from collections.abc import Collection

from mtpeft.analysis.file_cache import changed_at, known_digest, known_record
from mtpeft.analysis.score_tables import CellMetrics
from mtpeft.analysis.upstream import files_hold, scored_on_these, was_removed
from mtpeft.cells import Cell, OnPair
from mtpeft.config.comet_settings import comet_model_settings, comet_settings, model_record
from mtpeft.config.metrics import metrics_asked_for, metrics_of
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole


def metrics_now(configuration: Configuration, finished: Collection[Cell]) -> CellMetrics:
    """Metrics of finished cells, with those of them that each metric with a step of its own has scored."""
    scored = {
        metric: [cell for cell in finished if all(_holds(configuration, metric, on) for on in cell.measured)]
        for metric in metrics_asked_for(configuration)
    }
    return CellMetrics(metrics_of(configuration), scored)


def _holds(configuration: Configuration, metric: str, measured: OnPair) -> bool:
    read = read_if_whole(measured.metric_record(metric))
    if read is None:
        return False
    record = read[0]
    return (
        record["settings"] == comet_settings(configuration, measured.cell)
        and record["decoded_sha256"] == known_digest(measured.folder / "decode.json")
        and scored_on_these(configuration, measured.pair, record["references"])
        and _model_holds(configuration, record["model_sha256"])
    )


def _model_holds(configuration: Configuration, digest: str) -> bool:
    """Whether the model with a record of this hash is the one that the configuration names now."""
    file = model_record(configuration)
    model = known_record(file)
    if model is None:
        return was_removed(file)
    same = known_digest(file) == digest and model["settings"] == comet_model_settings(configuration)
    return same and files_hold(model["sha256"], recorded_at=changed_at(file))
