"""Scores of COMET as the statistics of systems take them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from mtpeft.analysis.systems import Run
from mtpeft.cells import Cell
from mtpeft.core.files import read_record

METRIC = "comet"
"""Name of the metric among counts and in the tables."""


def with_comet(runs: Mapping[Cell, Run], scored: Collection[Cell]) -> dict[Cell, Run]:
    """Runs with the scores of COMET's sentences as counts, for those that it has scored: score, and one sentence."""
    return {cell: _with_segments(run) if cell in scored else run for cell, run in runs.items()}


def _with_segments(run: Run) -> Run:
    test_sets = read_record(run.folder / run.cell.on_own.comet_record.name)["test_sets"]
    segments = {name: np.array(measured["segments"]) for name, measured in test_sets.items()}
    counts = {
        name: {**metrics, METRIC: np.stack([segments[name], np.ones_like(segments[name])], axis=-1)}
        for name, metrics in run.counts.items()
    }
    return replace(run, counts=counts)
