"""Tell results of the present configuration from older ones that have not been replaced yet."""

from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.config.rates import rates_file
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import decode_settings, needs_search, score_settings, train_settings
from mtpeft.records import read_record, sha256_of


def settings_with_rate(configuration: Configuration, cell: Cell) -> dict[str, Any]:
    """Settings of a cell's training; a learning rate that is searched for here is the one that was found, if any."""
    settings = train_settings(configuration, cell)
    if needs_search(configuration, cell) and Path(rates_file(cell)).exists():
        settings["optimisation"]["learning_rate"] = read_record(Path(rates_file(cell)))["learning_rate"]
    return settings


STEPS = {"train": settings_with_rate, "decode": decode_settings, "score": score_settings}
UPSTREAM = {"decode": ("trained_sha256", "train.json"), "score": ("decoded_sha256", "decode.json")}


def fresh_records(configuration: Configuration, cell: Cell) -> dict[str, dict[str, Any]]:
    """Records of a cell that hold now, by step: those up to the first that is missing, of other settings, or of an
    older step before it.
    """
    found: dict[str, dict[str, Any]] = {}
    for step, settings_of in STEPS.items():
        try:
            record = read_record(cell.folder / f"{step}.json")
            belongs = step == "train" or _follows(record, step, cell.folder)
        except FileNotFoundError:
            break
        if not belongs or record["settings"] != settings_of(configuration, cell):
            break
        found[step] = record
    return found


def _follows(record: dict[str, Any], step: str, folder: Path) -> bool:
    key, before = UPSTREAM[step]
    return record[key] == sha256_of(folder / before)
