"""Write the record of a reference row that trains nothing: the untouched base model, and retrieval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import ANY, FIXED, Cell
from mtpeft.core.files import read_lines, read_record, sha256_of, write_record
from mtpeft.core.provenance import describe, versions
from mtpeft.core.records import TrainRecord


def record_untrained(
    params: Mapping[str, Any], cell: Cell, *, base: Path | None, subset: Path | None, record: Path
) -> None:
    """Write an empty `tuned/` and the record of a cell that trains nothing.

    Args:
        params: of the training.
        cell: whose labels stand in the record.
        base: record of the base model; None for retrieval, which has none.
        subset: rows of the training text, for retrieval.
        record: `train.json` of the cell.
    """
    (record.parent / "tuned").mkdir(parents=True, exist_ok=True)
    inputs = {"base": str(base), "base_sha256": sha256_of(base)} if base else {}
    content = TrainRecord(
        cell=cell.named,
        status="ok",
        params=dict(params),
        execution=describe("cpu", 1),
        versions=versions(),
        inputs=inputs,
        total_parameters=read_record(base)["total_parameters"] if base else None,
        trained_parameters=0,
        budget_requested=None,
        budget_achieved=0.0 if base else None,
        left_over_parameters=0,
        sizes={},
        training_pairs=len(read_lines(subset)) if subset else 0,
        draw=_draw_of(params, cell) if subset else None,
        learning_rate=None,
        updates=0,
        best_step=None,
        dev_history=[],
        starts=0,
        train_seconds=0.0,
        tokens_per_second=0.0,
        peak_memory_mb=0.0,
        stored_bytes=0,
        made={},
    )
    write_record(record, content.model_dump())


def _draw_of(params: Mapping[str, Any], cell: Cell) -> str:
    return FIXED if cell.seed == ANY else str(params.get("draws", cell.seed))
