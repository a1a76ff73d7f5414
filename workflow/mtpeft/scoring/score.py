"""Score the hypotheses of a cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.checksums import require_whole
from mtpeft.corpus.tsv import read_pairs
from mtpeft.execution import versions
from mtpeft.record_types import ScoreRecord
from mtpeft.records import read_lines, sha256_of, write_record
from mtpeft.scoring.metrics import score_corpus


def score(
    settings: Mapping[str, Any], cell: Cell, *, decoded: Path, references: Mapping[str, Path], record: Path
) -> None:
    """Write the scores of every test set; a cell that diverged gets a record without scores.

    Args:
        settings: `target`, the language of the references.
        cell: whose hypotheses they are.
        decoded: the cell's `decode.json`, with `hypotheses/` beside it.
        references: text of each test set.
        record: where the record goes.
    """
    status = require_whole(decoded)["status"]
    scores = {
        name: _score_set(decoded.parent / "hypotheses" / f"{name}.txt", text, settings["target"])
        for name, text in references.items()
        if status == "ok"
    }
    content = ScoreRecord(
        cell=cell.named,
        status=status,
        settings=dict(settings),
        decoded_sha256=sha256_of(decoded),
        references={name: sha256_of(text) for name, text in references.items()},
        versions=versions(("sacrebleu",)),
        test_sets=scores,
    )
    write_record(record, content.model_dump())


def _score_set(hypotheses: Path, text: Path, target: str) -> dict[str, Any]:
    references = [pair.target for pair in read_pairs(text)]
    lines = read_lines(hypotheses)
    return {"sentences": len(lines), **score_corpus(lines, references, target)}
