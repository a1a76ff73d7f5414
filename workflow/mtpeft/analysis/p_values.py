"""Intervals and one-sided p-values from resampled values of an effect, and Holm's correction over several tests.

numpy is imported where it is needed, since the claims, which the configuration knows, name these functions. Holm's
correction is written here in five lines, since scipy has none and statsmodels would be one more dependency.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def interval(samples: "np.ndarray", level: float = 0.95) -> tuple[float, float]:
    """Percentile interval (Efron 1979)."""
    import numpy as np

    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def p_greater(samples: "np.ndarray", bound: float = 0.0) -> float:
    """One-sided p-value of "the effect is at most the bound": the share of resampled effects that are.

    One is added to count and total, so that no p-value is 0 (Davison & Hinkley 1997, section 4.4). It is below alpha
    where the one-sided percentile interval lies above the bound.
    """
    return float((1 + int((samples <= bound).sum())) / (1 + len(samples)))


def p_less(samples: "np.ndarray", bound: float = 0.0) -> float:
    """One-sided p-value of "the effect is at least the bound"."""
    return p_greater(-samples, -bound)


def p_within(samples: "np.ndarray", margin: float) -> float:
    """Two one-sided tests (Schuirmann 1987): p-value of "the effect is not between -margin and margin"."""
    return max(p_greater(samples, -margin), p_less(samples, margin))


def p_outside(samples: "np.ndarray", margin: float) -> float:
    """P-value of "the effect is between -margin and margin": twice that of the side on which it is more surely outside.

    Either side could be the one, so without the factor the level would be up to twice alpha for small margins.
    """
    return min(1.0, 2 * min(p_less(samples, -margin), p_greater(samples, margin)))


def p_two_sided(samples: "np.ndarray") -> float:
    """P-value of "the effect is 0": twice that of the side on which it is more surely."""
    return p_outside(samples, 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for the number of tests (Holm 1979), in the order given; compare them with alpha."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
