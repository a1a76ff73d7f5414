"""What claims are decided with besides the scores of their cells."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from mtpeft.figures.tables import Distance

Tuned = tuple[str, str, str]
"""Model, pair and size of a full fine-tuning."""


@dataclass(frozen=True)
class Known:
    """What is known of the test sets, the languages and the full fine-tunings.

    Attributes:
        similarities: greatest similarity of each test sentence to the fine-tuning text, by pair.
        distances: of each language from English.
        without_transfer: full fine-tunings that are not shown to beat the untouched model.
    """

    similarities: Mapping[str, np.ndarray]
    distances: Mapping[str, Distance]
    without_transfer: Set[Tuned]
