"""Score the hypotheses of a cell with a metric that has an environment of its own."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core import provenance
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import read_lines, read_record, sha256_of, write_record
from mtpeft.core.records import MetricRecord
from mtpeft.data.tsv import read_pairs
from mtpeft.metrics.base import Metric
from mtpeft.metrics.environment import ask_for_scores


def score_with_metric(
    metric: Metric,
    params: Mapping[str, Any],
    cell: Cell,
    *,
    decoded: Path,
    references: Mapping[str, Path],
    model: Path,
    environment: Path,
    record: Path,
) -> None:
    """Write the scores of every sentence of every test set; a cell that diverged gets a record without scores.

    Args:
        metric: one with an environment of its own.
        params: what the scores depend on besides the model and the text.
        cell: whose hypotheses they are.
        decoded: the cell's `decode.json`, with `hypotheses/` beside it.
        references: text of each test set.
        model: record of the model.
        environment: record of the environment, in its folder.
        record: where the record goes.

    Raises:
        UserError: the metric's program does not start, or can't use the model.
        DamagedError: the hypotheses or a fetched file of the model have changed since they were made.
        TryAgainError: there was too little memory.
    """
    begun = time.monotonic()
    status, parts = require_whole(decoded)["status"], require_whole(model)
    sets = {
        name: _samples(decoded.parent / "hypotheses" / f"{name}.txt", text)
        for name, text in references.items()
        if status == "ok"
    }
    found: dict[str, Any] = {"scores": {}, "device": "", "versions": read_record(environment)["versions"]}
    if sets:
        found = ask_for_scores(metric, environment.parent, model=model, sets=sets, params=params)
    content = MetricRecord(
        cell=cell.named,
        status=status,
        params=dict(params),
        decoded_sha256=sha256_of(decoded),
        model_sha256=sha256_of(model),
        references={name: sha256_of(text) for name, text in references.items()},
        name=parts["name"],
        model=parts["sha256"],
        versions=found["versions"],
        execution=provenance.describe(found["device"], params.get("threads", 1))
        | {"seconds": time.monotonic() - begun},
        test_sets={name: _measured(segments) for name, segments in found["scores"].items()},
    )
    write_record(record, content.model_dump())


def _samples(hypotheses: Path, text: Path) -> list[dict[str, str]]:
    """Sentences under the names that COMET has for the three texts."""
    return [
        {"src": pair.source, "mt": line, "ref": pair.target}
        for line, pair in zip(read_lines(hypotheses), read_pairs(text), strict=True)
    ]


def _measured(segments: Sequence[float]) -> dict[str, Any]:
    return {"sentences": len(segments), "score": sum(segments) / len(segments), "segments": list(segments)}
