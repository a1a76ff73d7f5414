"""Are the scores of a grid of levels non-decreasing along each of its two axes? Isotonic fits and a test against them.

The test compares an isotonic fit with an unrestricted one, as the likelihood ratio test of ordered means does
(Robertson, Wright & Dykstra 1988, Order Restricted Statistical Inference). Its null distribution is that of the
isotonic fit with the noise of resampled scores around it.
"""

from collections.abc import Iterator

import numpy as np

SWEEPS = 50
"""Most rounds of projections on the order of each axis; a grid of a few levels needs few."""
SMALL = 1e-9


def isotonic(values: np.ndarray) -> np.ndarray:
    """Return the non-decreasing values nearest to others by least squares, along the last axis: shape [..., levels].

    By the max-min formula: level i is the largest mean, over the beginnings up to i, of the smallest mean over the ends
    from i on. It takes many rows at once, where `scipy.optimize.isotonic_regression` takes one.
    """
    levels = values.shape[-1]
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), values.cumsum(-1)], axis=-1)
    fits = []
    for level in range(levels):
        begins = [
            np.min(
                [(sums[..., end + 1] - sums[..., begin]) / (end + 1 - begin) for end in range(level, levels)], axis=0
            )
            for begin in range(level + 1)
        ]
        fits.append(np.max(begins, axis=0))
    return np.stack(fits, axis=-1)


def isotonic_grid(values: np.ndarray) -> np.ndarray:
    """Return the values nearest to those of a grid that are non-decreasing along both axes: shape [rows, columns].

    By Dykstra's alternating projections (Dykstra & Robertson 1982, An Algorithm for Isotonic Regression for Two or More
    Independent Variables).
    """
    fit, by_row, by_column = values.astype(float), np.zeros(values.shape), np.zeros(values.shape)
    for _ in range(SWEEPS):
        before = fit
        rows = isotonic(fit + by_row)
        by_row = fit + by_row - rows
        fit = isotonic((rows + by_column).T).T
        by_column = rows + by_column - fit
        if np.abs(fit - before).max() < SMALL:
            break
    return fit


def squared_falls(values: np.ndarray) -> np.ndarray:
    """Return how far grids are from being non-decreasing: shape [...] for grids of shape [..., rows, columns].

    It is the sum of squared distances to the isotonic fits of all rows and columns, and 0 for an ordered grid alone.
    """
    distances = [((lines - isotonic(lines)) ** 2).sum((-1, -2)) for lines in (values, np.swapaxes(values, -1, -2))]
    return distances[0] + distances[1]


def largest_fall(values: np.ndarray) -> np.ndarray:
    """Return the largest fall from a level to a larger one on an axis, negative where all rise: shape [...].

    Args:
        values: grids of shape [..., rows, columns].
    """
    falls = [
        values.take(low, axis) - values.take(high, axis)
        for axis in (-2, -1)
        for low, high in _ordered(values.shape[axis])
    ]
    return np.max([fall.max(-1) for fall in falls], axis=0)


def _ordered(levels: int) -> Iterator[tuple[int, int]]:
    return ((low, high) for low in range(levels) for high in range(low + 1, levels))


def p_ordered(observed: np.ndarray, resampled: np.ndarray) -> float:
    """Return the p-value of the hypothesis that a grid is non-decreasing along both axes.

    Args:
        observed: shape [rows, columns].
        resampled: the same of resampled sentences and seeds: shape [resamples, rows, columns].
    """
    noise = resampled - resampled.mean(0)
    under = squared_falls(isotonic_grid(observed) + noise)
    return float((1 + (under >= squared_falls(observed) - SMALL).sum()) / (1 + len(under)))
