"""Isotonic fits, and the test whether a grid of scores is in the order of its levels."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from mtpeft.analysis.monotone import isotonic, isotonic_grid, largest_fall, p_ordered, squared_falls

GENERATOR = np.random.default_rng(3)
ORDERED = np.array([[1.0, 2.0, 4.0], [2.0, 2.5, 6.0]])
DENTED = np.array([[1.0, 5.0, 4.0], [2.0, 2.5, 6.0]])


def test_isotonic_fits_of_many_rows_are_those_of_scipy() -> None:
    values = GENERATOR.normal(size=(30, 5))
    wanted = np.stack([isotonic_regression(row).x for row in values])
    assert isotonic(values) == pytest.approx(wanted)


def test_the_fit_of_a_grid_is_ordered_and_nearest() -> None:
    for _ in range(10):
        values = GENERATOR.normal(size=(3, 4))
        fit = isotonic_grid(values)
        assert (np.diff(fit, axis=0) >= -1e-6).all() and (np.diff(fit, axis=1) >= -1e-6).all()
        # A projection on a cone is orthogonal to what it leaves, and no ordered direction brings it nearer.
        assert ((values - fit) * fit).sum() == pytest.approx(0, abs=1e-5)
        for _ in range(20):
            other = np.sort(np.sort(GENERATOR.normal(size=(3, 4)), axis=0), axis=1)
            assert ((values - fit) * other).sum() < 1e-5


def test_an_ordered_grid_has_no_falls() -> None:
    assert (squared_falls(ORDERED), largest_fall(ORDERED)) == (0.0, -0.5)
    assert squared_falls(DENTED) > 0
    assert largest_fall(DENTED) == 2.5
    assert largest_fall(np.stack([ORDERED, DENTED])).tolist() == [-0.5, 2.5]


@pytest.mark.parametrize(
    ("grid", "noise", "is_rejected"), [(ORDERED, 0.2, False), (DENTED, 0.2, True), (DENTED, 3.0, False)]
)
def test_the_order_is_rejected_where_falls_exceed_the_noise(grid: np.ndarray, noise: float, is_rejected: bool) -> None:
    resampled = grid + noise * GENERATOR.normal(size=(2000, *grid.shape))
    assert (p_ordered(grid, resampled) < 0.05) == is_rejected


def test_the_level_of_the_test_holds_where_all_levels_are_alike() -> None:
    noise = GENERATOR.normal(size=(500, 2, 3))
    rejected = [p_ordered(observed, observed + noise) < 0.05 for observed in GENERATOR.normal(size=(200, 2, 3))]
    assert np.mean(rejected) < 0.1
