"""Write what decoding results in: hypotheses as text, and the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.files import sha256_of, write_lines, write_record
from mtpeft.core.provenance import versions
from mtpeft.core.records import DecodeRecord


@dataclass(frozen=True)
class DecodingOutcome:
    """The result of decoding.

    Attributes:
        test_sets: what the record says of each test set.
        seconds: duration.
        sentences: number of sentences that were translated.
        execution: how the step ran.
        status: `ok` or `diverged`.
        packages: packages that the result depends on besides those that all results do.
        processor_seconds: time of a processor that the process has used; None where nobody has looked.
    """

    test_sets: Mapping[str, dict[str, Any]]
    seconds: float
    sentences: int
    execution: Mapping[str, Any]
    status: str = "ok"
    packages: tuple[str, ...] = ()
    processor_seconds: float | None = None


def write_hypotheses(folder: Path, name: str, lines: list[str], **counted: Any) -> dict[str, Any]:
    """Write the hypotheses of one test set; returns what the record says of them, with what else is given."""
    file = folder / "hypotheses" / f"{name}.txt"
    write_lines(file, (line.replace("\n", " ").replace("\r", " ") for line in lines))
    return {"sentences": len(lines), "sha256": sha256_of(file), **counted}


def write_decode_record(
    params: Mapping[str, Any], cell: Cell, outcome: DecodingOutcome, *, trained: Path, record: Path
) -> None:
    """Write the `decode.json` of a cell."""
    write_record(record, DecodeRecord(**decode_content(params, cell, outcome, trained=trained)).model_dump())


def decode_content(params: Mapping[str, Any], cell: Cell, outcome: DecodingOutcome, *, trained: Path) -> dict[str, Any]:
    """Return what the records of all decodings of a cell have."""
    return {
        "cell": cell.named,
        "status": outcome.status,
        "params": dict(params),
        "trained_sha256": sha256_of(trained),
        "versions": versions(more=outcome.packages),
        "execution": dict(outcome.execution),
        "test_sets": dict(outcome.test_sets),
        "decode_seconds": round(outcome.seconds, 3),
        "processor_seconds": None if outcome.processor_seconds is None else round(outcome.processor_seconds, 3),
        "sentences_per_second": round(outcome.sentences / outcome.seconds, 1) if outcome.seconds else 0.0,
    }
