"""Tell results of the present configuration from older ones that have not been replaced yet."""

from dataclasses import replace
from typing import Any

from mtpeft.analysis.file_cache import known_record
from mtpeft.analysis.upstream import made_from_these, scored_on_these
from mtpeft.cells import ANY, Cell, OnPair
from mtpeft.config.folders import rates_file
from mtpeft.config.rates import CLASS, trial_cells, trial_label
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import decode_settings, needs_search, score_settings, train_settings, tune_settings
from mtpeft.core.files import read_if_whole


def settings_with_rate(configuration: Configuration, cell: Cell) -> dict[str, Any]:
    """Settings of a cell's training; a learning rate that is searched for here is the one that was found, if any."""
    settings = train_settings(configuration, cell)
    if needs_search(configuration, cell) and (rate := _found_rate(configuration, cell)):
        settings["optimisation"]["learning_rate"] = rate
    return settings


def _found_rate(configuration: Configuration, cell: Cell) -> float | None:
    """The rate that the search of now has found; one of other candidates or on other text may have found another."""
    record = known_record(rates_file(configuration, cell))
    if record is None or record["settings"] != tune_settings(configuration, *(getattr(cell, name) for name in CLASS)):
        return None
    trials = trial_cells(configuration, cell)
    tuned = all(made_from_these(configuration, trial, _inputs_of(record, trial, len(trials))) for trial in trials)
    return record["learning_rate"] if tuned else None


def _inputs_of(record: dict[str, Any], trial: Cell, trials: int) -> dict[str, str]:
    """Hashes of what a trial of a search was trained from; those of several bear their labels."""
    begin = f"{trial_label(trial)}/" if trials > 1 else ""
    return {name.removeprefix(begin): digest for name, digest in record["inputs"].items() if name.startswith(begin)}


STEPS = {"train": settings_with_rate, "decode": decode_settings, "score": score_settings}
UPSTREAM = {"decode": "trained_sha256", "score": "decoded_sha256"}
"""Where a step keeps the hash of the record of the step before it."""


def fresh_records(configuration: Configuration, cell: Cell, pair: str | None = None) -> dict[str, dict[str, Any]]:
    """Records of a cell that hold now, by step: those up to the first that is missing, of other settings or inputs, or
    of an older step before it. With another pair than its own, what follows the training is on the test sets of that.

    Each is read once: a sweep that runs may remove it at any time.
    """
    found: dict[str, dict[str, Any]] = {}
    before = None
    measured = OnPair(cell, pair or cell.pair)
    for step, settings_of in STEPS.items():
        trains = step == "train"
        folder, told = (cell.folder, cell) if trains else (measured.folder, replace(cell, pair=measured.pair))
        read = read_if_whole(folder / f"{step}.json")
        if read is None:
            break
        record, digest = read
        follows = step not in UPSTREAM or record[UPSTREAM[step]] == before
        if not follows or record["settings"] != settings_of(configuration, told):
            break
        if not _has_read_these(configuration, told, step, record):
            break
        found[step], before = record, digest
    return found


def _was_trained_on_these(configuration: Configuration, cell: Cell, record: dict[str, Any]) -> bool:
    """Whether a training read as many pairs as its size has now, and the files that it would be made from now.

    What a size has for each pair of a group is among the settings, since one of them may have less.
    """
    right_size = cell.is_group or cell.size == ANY or record["training_pairs"] == configuration.sizes[cell.size].pairs
    return right_size and made_from_these(configuration, cell, record["inputs"])


def _has_read_these(configuration: Configuration, cell: Cell, step: str, record: dict[str, Any]) -> bool:
    """Whether a step read what it would read now; what is decoded is scored, so the texts of the test sets tell."""
    if step == "train":
        return _was_trained_on_these(configuration, cell, record)
    return step != "score" or scored_on_these(configuration, cell.pair, record.get("references", {}))
