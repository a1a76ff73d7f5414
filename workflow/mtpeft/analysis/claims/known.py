"""What claims are decided with besides the scores of their cells."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass, field

import numpy as np

from mtpeft.analysis.resampling import Scored
from mtpeft.analysis.tables import Distance

Tuned = tuple[str, str, str]
"""Model, pair and size of a full fine-tuning."""
Read = tuple[str, str]
"""A pair, and the hash of a subset of its training text."""


@dataclass(frozen=True)
class Known:
    """What is known of the test sets, the languages and the full fine-tunings.

    Attributes:
        similarities: greatest similarity of each test sentence to a subset of the training text.
        distances: of each language from English.
        without_transfer: full fine-tunings that are not shown to beat the untouched model.
        margins: what counts as on par, by metric.
        resamples: how often test sentences and seeds are drawn again.
        scored: resampled scores of systems, which stand in several claims, by their folders, sentences and metric.
    """

    similarities: Mapping[Read, np.ndarray]
    distances: Mapping[str, Distance]
    without_transfer: Set[Tuned]
    margins: Mapping[str, float]
    resamples: int
    scored: dict[tuple[Hashable, ...], Scored] = field(default_factory=dict)
