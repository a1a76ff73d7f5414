"""Spearman's rank correlation, its permutation test, and how many pairs of values it would need."""

import math
from itertools import permutations

import numpy as np
from scipy import stats

from mtpeft.config.significance import POWER

EXACT = 8
"""Up to this many values all orders are tried."""
PERMUTATIONS = 10_000
SEED = 1904
VARIANCE = 1.06
"""Of Fisher's z of a rank correlation, times the number of values less 3 (Fieller, Hartley & Pearson 1957)."""
PERFECT = 1 - 1e-12


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation along the last axis, ties at their mean rank; 0 where a side has no order.

    Args:
        x: shape [..., values].
        y: shape [values] or [..., values].
    """
    first, second = (_centred_ranks(side) for side in (x, y))
    norm = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return np.where(norm > 0, (first * second).sum(-1) / np.where(norm > 0, norm, 1.0), 0.0)


def partial_spearman(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> tuple[float, float, float]:
    """Rank correlation of x and y where a third quantity is held fixed, with the one-sided p-values of + and of -.

    The p-values are by Student's t with three degrees of freedom less than there are values. A side that the third
    quantity determines has a correlation of 0, and so has everything over fewer than four values. Ranks hold a quantity
    fixed as far as they tell it: where it determines both sides almost alone, something of it is left.
    """
    xy, xz, yz = (float(spearman(*sides)) for sides in ((x, y), (x, given), (y, given)))
    left = (1 - xz**2) * (1 - yz**2)
    if len(x) < 4 or left < 1e-9:
        return 0.0, 1.0, 1.0
    rho = max(-PERFECT, min(PERFECT, (xy - xz * yz) / math.sqrt(left)))
    t = rho * math.sqrt((len(x) - 3) / (1 - rho**2))
    return rho, float(stats.t.sf(t, len(x) - 3)), float(stats.t.cdf(t, len(x) - 3))


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks = stats.rankdata(values, axis=-1)
    return ranks - ranks.mean(-1, keepdims=True)


def p_rising(x: np.ndarray, y: np.ndarray) -> float:
    """One-sided p-value of "the order of y has nothing to do with x", against a positive correlation.

    All orders of y up to 8 values; else 10,000 random ones, where one is added to count and total.
    """
    first, second = _centred_ranks(x), _centred_ranks(y)
    threshold = first @ second - 1e-9
    if len(x) <= EXACT:
        orders = np.array(list(permutations(range(len(x)))))
        return float((second[orders] @ first >= threshold).mean())
    generator = np.random.default_rng(SEED)
    shuffled = generator.permuted(np.tile(second, (PERMUTATIONS, 1)), axis=1)
    return float((1 + np.count_nonzero(shuffled @ first >= threshold)) / (1 + PERMUTATIONS))


def interval_of(rho: float, values: int, level: float = 0.95) -> tuple[float, float] | None:
    """Interval of a rank correlation over so many values, by Fisher's z; None for three or fewer."""
    if values <= 3:
        return None
    reach = stats.norm.ppf((1 + level) / 2) * math.sqrt(VARIANCE / (values - 3))
    z = math.atanh(max(-PERFECT, min(PERFECT, rho)))
    return math.tanh(z - reach), math.tanh(z + reach)


def values_needed(rho: float, alpha: float) -> int | None:
    """Number of values with which a positive correlation of this size is shown with a power of 80 %; None if not > 0.

    By Fisher's z.
    """
    if rho <= 0:
        return None
    if rho >= 1:
        return 4
    wanted = stats.norm.isf(alpha) + stats.norm.ppf(POWER)
    return math.ceil(3 + VARIANCE * (wanted / math.atanh(rho)) ** 2)
