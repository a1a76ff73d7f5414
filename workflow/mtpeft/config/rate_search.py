"""The section `rate_search`: how learning rates are searched for where a method does not write its own down."""

import csv
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeInt

from mtpeft.config.rates import READ_COLUMNS
from mtpeft.core.files import found_path
from mtpeft.core.section import Section
from mtpeft.core.wording import unknown

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class RateSearch(Section):
    """The search for learning rates by the dev score, on pairs and seeds that no study compares on."""

    pair: str | None = Field(default=None, description="A label of `pairs`, to search on.")
    seed: NonNegativeInt | None = Field(default=None, description="Seed of the trials. Empty, without `seeds`: 0.")
    pairs: list[str] = Field(
        default=[], description="In the place of `pair`: several, such as a near language and a far one."
    )
    seeds: list[NonNegativeInt] = Field(
        default=[],
        description="In the place of `seed`: several. The rate with the best mean over pairs and seeds wins.",
    )
    extensions: NonNegativeInt = Field(
        default=4, le=20, description="Most rates to add, one after another, while the best lies at an end of the list."
    )
    table: str | None = Field(
        default=None, description="Results of earlier searches; those with the same params are not made again."
    )

    @property
    def all_pairs(self) -> list[str]:
        """All labels of pairs to search on."""
        return self.pairs or [pair for pair in (self.pair,) if pair is not None]

    @property
    def all_seeds(self) -> list[int]:
        """All seeds of the trials on each pair."""
        return self.seeds or [self.seed or 0]


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find a search on cells that a study compares, and a table of earlier searches that can't be read."""
    search = configuration.rate_search
    if search is None:
        return
    yield from _places_mistakes(search)
    yield from unknown(
        "rate_search.pairs" if search.pairs else "rate_search.pair", search.all_pairs, configuration.pairs, "pairs"
    )
    for label, study in configuration.studies.items():
        for pair, seed in product(search.all_pairs, search.all_seeds):
            if any(pair in block.members and seed in block.seeds for block in study.blocks):
                yield (
                    f"'rate_search' searches on '{pair}' with seed {seed}, which 'studies.{label}' compares on; "
                    "write another seed, or a pair that no study uses."
                )
    if search.table:
        yield from _table_mistakes(search.table)


def _places_mistakes(search: RateSearch) -> Iterator[str]:
    """Find a pair beside a list of pairs, a seed beside a list of seeds, and entries that stand twice in a list."""
    if search.pair is None and not search.pairs:
        yield "'rate_search.pair' is missing; write it, or 'pairs' with several."
    for one, several in (("pair", "pairs"), ("seed", "seeds")):
        listed = getattr(search, several)
        if listed and getattr(search, one) is not None:
            yield f"'rate_search' has both '{one}' and '{several}'; leave one of the two empty, such as '{one}: ~'."
        if len(set(listed)) < len(listed):
            yield f"'rate_search.{several}' names something twice; write each once."


def _table_mistakes(table: str) -> Iterator[str]:
    made = "`make rates` makes results/rates.csv"
    if not found_path(table).is_file():
        yield f"'rate_search.table' is '{table}', but there is no such file; {made}."
        return
    with found_path(table).open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    lacks = [name for name in READ_COLUMNS if name not in header]
    if lacks:
        yield f"'rate_search.table' is '{table}', which has no column {', '.join(lacks)}; {made}, which has."
