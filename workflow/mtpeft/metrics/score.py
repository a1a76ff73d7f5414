"""Score the hypotheses of a cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import read_lines, sha256_of, write_record
from mtpeft.core.provenance import versions
from mtpeft.core.records import ScoreRecord
from mtpeft.data.tsv import read_pairs
from mtpeft.metrics.sacrebleu import score_corpus
from mtpeft.metrics.shares import shares_of


def score(
    settings: Mapping[str, Any], cell: Cell, *, decoded: Path, references: Mapping[str, Path], record: Path
) -> None:
    """Write the scores of every test set and what its hypotheses look like; a cell that diverged gets neither.

    Args:
        settings: `source` and `target`, the languages of both sides.
        cell: whose hypotheses they are.
        decoded: the cell's `decode.json`, with `hypotheses/` beside it.
        references: text of each test set.
        record: where the record goes.
    """
    made = require_whole(decoded)
    status, described = made["status"], made.get("test_sets", {})
    scores = {
        name: _score_set(
            decoded.parent / "hypotheses" / f"{name}.txt",
            text,
            (settings["source"], settings["target"]),
            at_limit=described.get(name, {}).get("at_limit"),
        )
        for name, text in references.items()
        if status == "ok"
    }
    content = ScoreRecord(
        cell=cell.named,
        status=status,
        settings=dict(settings),
        decoded_sha256=sha256_of(decoded),
        references={name: sha256_of(text) for name, text in references.items()},
        versions=versions(("sacrebleu", "py3langid")),
        test_sets=scores,
    )
    write_record(record, content.model_dump())


def _score_set(hypotheses: Path, text: Path, languages: tuple[str, str], *, at_limit: int | None) -> dict[str, Any]:
    pairs = read_pairs(text)
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    lines = read_lines(hypotheses)
    shares = shares_of(lines, languages, sources=sources, references=references, at_limit=at_limit)
    return {"sentences": len(lines), "shares": shares, **score_corpus(lines, references, languages[1])}
