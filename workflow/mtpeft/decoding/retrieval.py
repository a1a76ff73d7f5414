"""Hypotheses that need no model: a translation memory's, and none at all for a cell that diverged."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.files import read_lines
from mtpeft.core.provenance import describe
from mtpeft.data.similarity import nearest
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.hypotheses import Outcome, write_decode_record, write_hypotheses


def retrieve(
    settings: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    memory: Path,
    subset: Path,
    tests: Mapping[str, Path],
    record: Path,
) -> None:
    """The target of the training source that is most like each test source, by character 4-grams."""
    rows = read_pairs(memory)
    known = [rows[int(line)] for line in read_lines(subset)]
    started, done, described = time.monotonic(), 0, {}
    for name, text in tests.items():
        sources = [pair.source for pair in read_pairs(text)]
        found = nearest(sources, [pair.source for pair in known])
        described[name] = write_hypotheses(record.parent, name, [known[index].target for index in found])
        done += len(sources)
    outcome = Outcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe("cpu", 1),
    )
    write_decode_record(settings, cell, outcome, trained=trained, record=record)


def pass_divergence_on(
    settings: Mapping[str, Any], cell: Cell, *, trained: Path, tests: Mapping[str, Path], record: Path
) -> None:
    """Empty files and a record that says why."""
    described = {name: write_hypotheses(record.parent, name, []) for name in tests}
    outcome = Outcome(test_sets=described, seconds=0.0, sentences=0, execution={}, status="diverged")
    write_decode_record(settings, cell, outcome, trained=trained, record=record)
