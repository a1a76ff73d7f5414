"""Tell results of the present configuration from older ones that have not been replaced yet."""

from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.rates import rates_file
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import decode_settings, needs_search, score_settings, train_settings
from mtpeft.records import read_if_whole


def settings_with_rate(configuration: Configuration, cell: Cell) -> dict[str, Any]:
    """Settings of a cell's training; a learning rate that is searched for here is the one that was found, if any."""
    settings = train_settings(configuration, cell)
    if needs_search(configuration, cell) and (found := read_if_whole(Path(rates_file(cell)))):
        settings["optimisation"]["learning_rate"] = found[0]["learning_rate"]
    return settings


STEPS = {"train": settings_with_rate, "decode": decode_settings, "score": score_settings}
UPSTREAM = {"decode": "trained_sha256", "score": "decoded_sha256"}
"""Where a step keeps the hash of the record of the step before it."""


def fresh_records(configuration: Configuration, cell: Cell) -> dict[str, dict[str, Any]]:
    """Records of a cell that hold now, by step: those up to the first that is missing, of other settings, or of an
    older step before it.

    Each is read once: a sweep that runs may remove it at any time.
    """
    found: dict[str, dict[str, Any]] = {}
    before = None
    for step, settings_of in STEPS.items():
        read = read_if_whole(cell.folder / f"{step}.json")
        if read is None:
            break
        record, digest = read
        follows = step not in UPSTREAM or record[UPSTREAM[step]] == before
        if not follows or record["settings"] != settings_of(configuration, cell):
            break
        found[step], before = record, digest
    return found
