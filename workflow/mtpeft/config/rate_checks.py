"""What can be wrong with learning rates and the search for them."""

import csv
from collections.abc import Iterator
from itertools import product

from mtpeft.config.rates import READ_COLUMNS
from mtpeft.config.schema import Configuration, Study, Tuning
from mtpeft.config.sentences import unknown
from mtpeft.core.project import found_path
from mtpeft.methods.base import RateSearch


def rate_mistakes(configuration: Configuration, method: str) -> Iterator[str]:
    """Sizes that are not there, and a search that can't be made."""
    key, rate = f"methods.{method}.learning_rate", getattr(configuration.methods[method], "learning_rate", None)
    if isinstance(rate, dict):
        yield from unknown(key, sorted(set(rate) - {"default"}), configuration.sizes, "sizes")
    if isinstance(rate, RateSearch):
        if len(set(rate.search)) < len(rate.search):
            yield f"'{key}.search' names a rate twice; write each once."
        if configuration.tuning is None:
            yield f"'{key}' asks for a search, but there is no 'tuning'; write on which pair, 'tuning: {{pair: …}}'."


def tuning_mistakes(configuration: Configuration) -> Iterator[str]:
    """Rates are chosen on a run that no comparison uses, and read from a table that is there."""
    tuning = configuration.tuning
    if tuning is None:
        return
    yield from _places_mistakes(tuning)
    yield from unknown(
        "tuning.pairs" if tuning.pairs else "tuning.pair", tuning.all_pairs, configuration.pairs, "pairs"
    )
    for label, study in configuration.studies.items():
        for pair, seed in product(tuning.all_pairs, tuning.all_seeds):
            if any(pair in block.members and seed in block.seeds for block in study.blocks):
                yield (
                    f"'tuning' searches on '{pair}' with seed {seed}, which 'studies.{label}' compares on; "
                    "write another seed, or a pair that no study uses."
                )
    if tuning.table:
        yield from _table_mistakes(tuning.table)


def _places_mistakes(tuning: Tuning) -> Iterator[str]:
    """One pair or a list of them, one seed or a list of them, and nothing twice."""
    if tuning.pair is None and not tuning.pairs:
        yield "'tuning.pair' is missing; write it, or 'pairs' with several."
    for one, several in (("pair", "pairs"), ("seed", "seeds")):
        listed = getattr(tuning, several)
        if listed and getattr(tuning, one) is not None:
            yield f"'tuning' has both '{one}' and '{several}'; leave one of the two empty, such as '{one}: ~'."
        if len(set(listed)) < len(listed):
            yield f"'tuning.{several}' names something twice; write each once."


def _table_mistakes(table: str) -> Iterator[str]:
    made = "`make tune` makes results/rates.csv"
    if not found_path(table).is_file():
        yield f"'tuning.table' is '{table}', but there is no such file; {made}."
        return
    with found_path(table).open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    lacks = [name for name in READ_COLUMNS if name not in header]
    if lacks:
        yield f"'tuning.table' is '{table}', which has no column {', '.join(lacks)}; {made}, which has."


def missing_rates(configuration: Configuration, key: str, study: Study, method: str) -> Iterator[str]:
    """Sizes of a study for which a method writes no rate down."""
    rates = getattr(configuration.methods.get(method), "learning_rate", None)
    if isinstance(rates, dict) and "default" not in rates:
        for size in sorted(set(study.sizes) - set(rates)):
            yield f"'methods.{method}.learning_rate' has no rate for size '{size}' of '{key}'; add it or 'default'."
