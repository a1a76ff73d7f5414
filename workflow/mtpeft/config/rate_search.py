"""The section `rate_search`: how learning rates are searched for where a method does not write its own down.

A rate is searched for once for all cells of the same model, size, method and budget. A table of earlier searches saves
those whose params are the same.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, NonNegativeInt, WithJsonSchema

from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config.messages import named_twice
from mtpeft.config.methods import search_of
from mtpeft.core.files import canonical, found_path, sha256_of
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown
from mtpeft.models.config_json import TRAINING_RECORD

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

CHOSEN = "yes"
"""Mark of the row of a table whose learning rate was chosen."""
READ_COLUMNS = (*RATE_LABELS, "search", "learning_rate", "chosen")
"""Columns of a table of searches that are read."""


def _as_list(given: Any) -> Any:
    return given if isinstance(given, list) or given is None else [given]


def _one_or_several(kind: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": kind}, {"type": "array", "items": {"type": kind}, "minItems": 1}]})


class RateSearch(Section):
    """The search for learning rates by the dev score, on pairs and seeds that no study compares on."""

    pair: Annotated[list[str], BeforeValidator(_as_list), _one_or_several("string")] = Field(
        min_length=1,
        description="A label of `pairs` to search on, or several, such as a near language and a far one. The rate with "
        "the best mean over pairs and seeds wins.",
    )
    seed: Annotated[list[NonNegativeInt], BeforeValidator(_as_list), _one_or_several("integer")] = Field(
        default=[0], min_length=1, description="Seed of the trials, or several."
    )
    extensions: NonNegativeInt = Field(
        default=4, le=20, description="Most rates to add, one after another, while the best lies at an end of the list."
    )
    table: str | None = Field(
        default=None, description="Results of earlier searches; those with the same params are not made again."
    )


def trial_cells(configuration: "Configuration", cell: Cell) -> list[Cell]:
    """Return the cells that a search trains for each of its rates: one for each of its pairs and seeds."""
    search = configuration.rate_search
    places = product(search.pair, search.seed)
    return [Cell(cell.model, pair, cell.size, cell.method, cell.budget, str(seed)) for pair, seed in places]


def trial_label(cell: Cell) -> str:
    """Return the pair and the seed of a trial, which tell the trials of one rate apart."""
    return f"{cell.pair}/{cell.seed}"


def search_params(configuration: "Configuration", cell: Cell, trials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of a search.

    A search on one pair with one seed has them as they were before there could be several, so that its digest stays.

    Args:
        configuration: names the pairs, the seeds and the rates to try.
        cell: any of the cells that share the rate.
        trials: params of the trainings, without a learning rate, by the labels of the trials.
    """
    search = configuration.rate_search
    one = {"pair": search.pair[0], "trial": next(iter(trials.values()))}
    return {
        "candidates": sorted(search_of(configuration, cell.method).search),
        "extensions": search.extensions,
        "training_pairs": configuration.sizes[cell.size].pairs,
        "model": configuration.models[cell.model].identity | _training_of(configuration, cell.model),
        **(one if len(trials) == 1 else {"trials": dict(trials)}),
    }


def _training_of(configuration: "Configuration", model: str) -> dict[str, str]:
    """Return the hash of the training record of a model, if it has one: the same path can hold another model later."""
    path = configuration.models[model].path
    record = found_path(path) / TRAINING_RECORD if path else None
    return {"training": sha256_of(record)} if record and record.exists() else {}


def search_digest(params: Mapping[str, Any]) -> str:
    """Return a short hash of the params of a search; a row of a table counts for the search with the same hash."""
    return hashlib.sha256(canonical(params).encode()).hexdigest()[:12]


def known_rate(configuration: "Configuration", cell: Cell, params: Mapping[str, Any]) -> float | None:
    """Return the learning rate that the table of earlier searches has for a search with these params, if it has one."""
    if configuration.rate_search.table is None:
        return None
    labels = tuple(getattr(cell, name) for name in RATE_LABELS)
    return _chosen_rates(found_path(configuration.rate_search.table)).get((*labels, search_digest(params)))


@lru_cache(maxsize=8)
def _chosen_rates(table: Path) -> Mapping[tuple[str, ...], float]:
    """Read the chosen learning rates of a table by the labels and the digests of their searches."""
    with table.open(encoding="utf-8", newline="") as file:
        return {
            (*(row[name] for name in RATE_LABELS), row["search"]): float(row["learning_rate"])
            for row in csv.DictReader(file)
            if row["chosen"] == CHOSEN
        }


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find a search on cells that a study compares, and a table of earlier searches that can't be read."""
    search = configuration.rate_search
    if search is None:
        return
    for name in ("pair", "seed"):
        yield from named_twice(f"rate_search.{name}", getattr(search, name))
    yield from unknown("rate_search.pair", search.pair, configuration.pairs, "pairs")
    for label, study in configuration.studies.items():
        for pair, seed in product(search.pair, search.seed):
            if any(pair in block.members and seed in block.seeds for block in study.blocks):
                yield (
                    f"'rate_search' searches on '{pair}' with seed {seed}, which 'studies.{label}' compares on; "
                    "write another seed, or a pair that no study uses."
                )
    if search.table:
        yield from _table_mistakes(search.table)


def _table_mistakes(table: str) -> Iterator[str]:
    made = "`make rates` makes results/rate-search/rates.csv"
    if not found_path(table).is_file():
        yield f"'rate_search.table' is '{table}', but there is no such file; {made}."
        return
    with found_path(table).open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    lacks = [name for name in READ_COLUMNS if name not in header]
    if lacks:
        yield f"'rate_search.table' is '{table}', which has no column {', '.join(lacks)}; {made}, which has."
