"""The step `comet`: score the hypotheses of a cell with COMET."""

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
from mtpeft.metrics.comet.environment import ask_for_scores


def score_with_comet(
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
        params: COMET's version, `batch_size` and `threads`.
        cell: whose hypotheses they are.
        decoded: the cell's `decode.json`, with `hypotheses/` beside it.
        references: text of each test set.
        model: record of the model.
        environment: record of COMET's environment, in its folder.
        record: where the record goes.

    Raises:
        UserError: COMET does not start, or can't use the model.
        TryAgainError: there was too little memory.
    """
    begun = time.monotonic()
    status, parts = require_whole(decoded)["status"], read_record(model)
    sets = {
        name: _samples(decoded.parent / "hypotheses" / f"{name}.txt", text)
        for name, text in references.items()
        if status == "ok"
    }
    how = {key: params[key] for key in ("batch_size", "threads")}
    found = ask_for_scores(environment.parent, parts, sets, **how) if sets else {"scores": {}, "device": ""}
    content = MetricRecord(
        cell=cell.named,
        status=status,
        params=dict(params),
        decoded_sha256=sha256_of(decoded),
        model_sha256=sha256_of(model),
        references={name: sha256_of(text) for name, text in references.items()},
        name=model_name(parts),
        model=parts["sha256"],
        versions=read_record(environment)["versions"],
        execution=provenance.describe(found["device"], params["threads"]) | {"seconds": time.monotonic() - begun},
        test_sets={name: _measured(segments) for name, segments in found["scores"].items()},
    )
    write_record(record, content.model_dump())


def model_name(model: Mapping[str, Any]) -> str:
    """A model as the configuration names it."""
    (name,) = model["params"]["model"].values()
    return name


def _samples(hypotheses: Path, text: Path) -> list[dict[str, str]]:
    """Sentences under the names that COMET has for the three texts."""
    return [
        {"src": pair.source, "mt": line, "ref": pair.target}
        for line, pair in zip(read_lines(hypotheses), read_pairs(text), strict=True)
    ]


def _measured(segments: Sequence[float]) -> dict[str, Any]:
    return {"sentences": len(segments), "score": sum(segments) / len(segments), "segments": list(segments)}
