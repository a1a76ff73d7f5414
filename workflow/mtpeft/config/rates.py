"""Learning rates: written down, or chosen by a search that is done here or was done before."""

import csv
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config.methods import search_of
from mtpeft.core.files import canonical, found_path, sha256_of
from mtpeft.models.config_json import TRAINING_RECORD

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

CLASS = ("model", "size", "method", "budget")
"""A rate is chosen once for all cells that share these labels."""
CHOSEN = "yes"
READ_COLUMNS = (*RATE_LABELS, "search", "learning_rate", "chosen")
"""Columns of a table of searches that are read."""


def trial_cells(configuration: "Configuration", cell: Cell) -> list[Cell]:
    """The cells on which the rate of a class is searched for, which no claim uses: each pair with each seed."""
    search = configuration.rate_search
    places = product(search.all_pairs, search.all_seeds)
    return [Cell(cell.model, pair, cell.size, cell.method, cell.budget, str(seed)) for pair, seed in places]


def trial_label(cell: Cell) -> str:
    """What tells the trials of one rate apart: the pair and the seed."""
    return f"{cell.pair}/{cell.seed}"


def search_settings(configuration: "Configuration", cell: Cell, trials: Mapping[str, Any]) -> dict[str, Any]:
    """What the search for a class's rate depends on, given the settings of its trials without a rate, by their labels.

    A search on one pair with one seed is told as it was before there could be several, so that its digest stays.
    """
    search = configuration.rate_search
    one = {"pair": search.all_pairs[0], "trial": next(iter(trials.values()))}
    return {
        "candidates": sorted(search_of(configuration, cell.method).search),
        "extensions": search.extensions,
        "training_pairs": configuration.sizes[cell.size].pairs,
        "model": configuration.models[cell.model].identity | _made_by(configuration, cell.model),
        **(one if len(trials) == 1 else {"trials": dict(trials)}),
    }


def _made_by(configuration: "Configuration", model: str) -> dict[str, str]:
    """Which training a model that comes with its record is from: another one under the same path is another model."""
    path = configuration.models[model].path
    record = found_path(path) / TRAINING_RECORD if path else None
    return {"training": sha256_of(record)} if record and record.exists() else {}


def digest(search: Mapping[str, Any]) -> str:
    """Short hash of a search's settings: a table's row counts for searches with the same one only."""
    return hashlib.sha256(canonical(search).encode()).hexdigest()[:12]


def known_rate(configuration: "Configuration", cell: Cell, search: Mapping[str, Any]) -> float | None:
    """The rate that the table of earlier searches holds for the class of a cell, if the search was the same."""
    if configuration.rate_search.table is None:
        return None
    labels = tuple(getattr(cell, name) for name in CLASS)
    return _chosen(found_path(configuration.rate_search.table)).get((*labels, digest(search)))


@lru_cache(maxsize=8)
def _chosen(table: Path) -> Mapping[tuple[str, ...], float]:
    with table.open(encoding="utf-8", newline="") as file:
        return {
            (*(row[name] for name in RATE_LABELS), row["search"]): float(row["learning_rate"])
            for row in csv.DictReader(file)
            if row["chosen"] == CHOSEN
        }
