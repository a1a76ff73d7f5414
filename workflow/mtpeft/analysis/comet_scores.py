"""Scores of COMET as the statistics of systems take them, and which of them hold."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from mtpeft.analysis.file_cache import changed_at, known_digest, known_record
from mtpeft.analysis.systems import Run
from mtpeft.analysis.upstream import files_hold, scored_on_these, was_removed
from mtpeft.cells import Cell, OnPair
from mtpeft.config.comet_settings import comet_model_settings, comet_settings, model_record
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_if_whole, read_record

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


def scored_with_comet(configuration: Configuration, cells: Collection[Cell]) -> list[Cell] | None:
    """Those of finished cells that COMET has scored as it would now, or None where it is not asked to."""
    if configuration.comet is None:
        return None
    return [cell for cell in cells if all(_holds(configuration, measured) for measured in cell.measured)]


def _holds(configuration: Configuration, measured: OnPair) -> bool:
    read = read_if_whole(measured.comet_record)
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
