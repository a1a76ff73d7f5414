"""Systems as rows of numbers: what a regression knows of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, log2
from typing import NamedTuple

import numpy as np

from mtpeft.analysis.read_tables import distances_of_languages
from mtpeft.config.pairs import pair_languages
from mtpeft.config.pretraining import sides_read
from mtpeft.config.schema import Configuration
from mtpeft.core.languages import DISTANCES, languages_with_distances, main_language, same_language
from mtpeft.front.advise.finished import Finished

SCORE_UNIT, DISTANCE_UNIT = 10.0, 0.1
"""A difference of features that is about as large as one between training sizes of which one is thrice the other."""


@dataclass(frozen=True)
class Point:
    """A system, finished or not, as a regression sees it.

    Attributes:
        model, pair, method: its labels.
        pairs: sentence pairs that it is trained on.
        share: of the parameters that are trained.
        total: number of parameters of the base model.
        untouched: score of the untouched model; None where it was not scored.
        distance: syntactic distance of the pair from the languages that the model has read; None where it is unknown.
    """

    model: str
    pair: str
    method: str
    pairs: int
    share: float
    total: int
    untouched: float | None
    distance: float | None


class Features(NamedTuple):
    """Rows of numbers with what belongs together in them.

    Attributes:
        values: a row for each point.
        groups: for each column the number of its group: all columns of a label are one group.
        of_pair: whether a column says which pair it is.
    """

    values: np.ndarray
    groups: tuple[int, ...]
    of_pair: tuple[bool, ...]


def point_of(configuration: Configuration, system: Finished) -> Point:
    """Return a finished system as a point."""
    return Point(
        model=system.model,
        pair=system.pair,
        method=system.method,
        pairs=system.pairs,
        share=system.share,
        total=system.total,
        untouched=system.untouched,
        distance=distance_of(configuration, system.model, system.pair),
    )


@lru_cache(maxsize=4096)
def distance_of(configuration: Configuration, model: str, pair: str) -> float | None:
    """Return how far a pair is from what a model has read: the syntactic distance of its more distant language.

    A source language is compared with those that the model has translated from, a target language with those that it
    has translated into, and both with those that it has read by themselves. Distances are those of lang2vec (Littell
    et al. 2017). None where the configuration has not both, where nothing says what the model has read, and for a
    language without distances.
    """
    if model not in configuration.models or pair not in configuration.pairs:
        return None
    read = sides_read(configuration, model)
    if not read:
        return None
    found = [_nearest(own, sorted(known)) for own, known in zip(pair_languages(configuration, pair), read, strict=True)]
    return None if None in found else max(found)


def _nearest(language: str, read: Sequence[str]) -> float | None:
    """Return the distance of a language from the nearest of those that a model has read."""
    if any(same_language(language, known) for known in read):
        return 0.0
    origins = [known for known in read if main_language(known) in languages_with_distances()]
    tables = (distances_of_languages(DISTANCES, origin) for origin in origins)
    found = [table[main_language(language)].syntactic for table in tables if main_language(language) in table]
    return min(found, default=None)


def features_of(points: Sequence[Point], *, with_untouched: bool = True) -> Features:
    """Return points as rows; what is unknown of one is the mean of the others.

    Args:
        points: all between which the regression is to find likenesses, finished ones and others.
        with_untouched: whether the score of the untouched model is a column.
    """
    untouched = [[own.untouched / SCORE_UNIT if own.untouched is not None else None] for own in points]
    distances = [[own.distance / DISTANCE_UNIT if own.distance is not None else None] for own in points]
    parts = [
        [[log(own.pairs)] for own in points],
        [[log(own.share)] for own in points],
        [[log2(own.total)] for own in points],
        _filled(distances),
        *([_filled(untouched)] if with_untouched else []),
        _indicators(own.method for own in points),
        _indicators(own.pair for own in points),
    ]
    widths = [len(part[0]) for part in parts]
    return Features(
        values=np.hstack([np.array(part, dtype=float) for part in parts]),
        groups=tuple(number for number, width in enumerate(widths) for _ in range(width)),
        of_pair=tuple(number == len(parts) - 1 for number, width in enumerate(widths) for _ in range(width)),
    )


def _filled(column: Sequence[Sequence[float | None]]) -> list[list[float]]:
    known = [value for (value,) in column if value is not None]
    mean = sum(known) / len(known) if known else 0.0
    return [[mean if value is None else value] for (value,) in column]


def _indicators(labels: Iterable[str]) -> list[list[float]]:
    """Return a column for each label, which is 1 where a row has it."""
    given = list(labels)
    known = sorted(set(given))
    return [[float(own == label) for label in known] for own in given]
