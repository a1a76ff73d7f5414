"""Write hypotheses without a model: those of a translation memory, and none for a cell that has diverged."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.files import read_lines
from mtpeft.core.provenance import describe
from mtpeft.data.similarity import nearest_references
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.hypotheses import DecodingOutcome, write_decode_record, write_hypotheses


def retrieve(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    memory: Path,
    subset: Path,
    tests: Mapping[str, Path],
    record: Path,
) -> None:
    """Write for each test source the target of the most similar training source, by character 4-grams.

    Args:
        params: of the decoding.
        cell: whose labels stand in the record.
        trained: the cell's `train.json`.
        memory: training text of the language pair.
        subset: rows of it that the cell reads.
        tests: text of each test set, by its name.
        record: `decode.json` of the cell.
    """
    rows = read_pairs(memory)
    known = [rows[int(line)] for line in read_lines(subset)]
    started, done, described = time.monotonic(), 0, {}
    for name, text in tests.items():
        sources = [pair.source for pair in read_pairs(text)]
        found = nearest_references(sources, [pair.source for pair in known])
        described[name] = write_hypotheses(record.parent, name, [known[index].target for index in found])
        done += len(sources)
    outcome = DecodingOutcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe("cpu", 1),
    )
    write_decode_record(params, cell, outcome, trained=trained, record=record)


def pass_divergence_on(
    params: Mapping[str, Any], cell: Cell, *, trained: Path, tests: Mapping[str, Path], record: Path
) -> None:
    """Write empty files, and a record that says that the cell has diverged."""
    described = {name: write_hypotheses(record.parent, name, []) for name in tests}
    outcome = DecodingOutcome(test_sets=described, seconds=0.0, sentences=0, execution={}, status="diverged")
    write_decode_record(params, cell, outcome, trained=trained, record=record)
