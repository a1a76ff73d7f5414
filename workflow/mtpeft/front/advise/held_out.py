"""How far predictions are off: each system is predicted from others, by five ways of leaving systems out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtpeft.front.advise.finished import Finished
from mtpeft.front.advise.points import Features
from mtpeft.front.advise.regression import REGRESSIONS, Regression

FOLDS, SEED = 10, 0
LEVEL = 0.95
"""Share of the systems that intervals are to cover."""
FEWEST = 10
"""Systems below which nothing is learnt."""

Scheme = Callable[[Sequence[Finished]], list[str]]
"""Says for each system with which others it is left out."""


def _at_random(systems: Sequence[Finished]) -> list[str]:
    order = np.random.default_rng(SEED).permutation(len(systems))
    return [str(place % FOLDS) for place in order]


RANDOM, ONE_PAIR, ONE_METHOD, ONE_MODEL, ONE_SIZE = "random cells", "one pair", "one method", "one model", "one size"
SCHEMES: Mapping[str, Scheme] = {
    RANDOM: _at_random,
    ONE_PAIR: lambda systems: [own.pair for own in systems],
    ONE_METHOD: lambda systems: [own.method for own in systems],
    ONE_MODEL: lambda systems: [own.model for own in systems],
    ONE_SIZE: lambda systems: [str(own.pairs) for own in systems],
}
"""What is left out together: a tenth of the systems, or all of one pair, one method, one model or one size."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of systems that were left out.

    Attributes:
        errors: predicted minus measured gain.
        deviations: standard deviations that the regression says.
        groups: with which others each was left out.
    """

    errors: np.ndarray
    deviations: np.ndarray
    groups: tuple[str, ...]

    @property
    def mean_error(self) -> float:
        """Mean of the absolute errors, in which each group counts the same."""
        return float(np.average(np.abs(self.errors), weights=self._weights))

    @property
    def root_mean_square(self) -> float:
        """Root of the mean square of the errors, in which each group counts the same."""
        return float(np.sqrt(np.average(self.errors**2, weights=self._weights)))

    def half_widths(self, deviations: np.ndarray) -> np.ndarray:
        """Return how far intervals reach to each side, given the standard deviations of a regression.

        They hold `LEVEL` of the systems that were left out, whatever a regression believes of itself (conformal
        prediction, Vovk et al. 2005). What is scaled is the deviation together with the errors of all.
        """
        return self._half_widths(deviations, np.full(len(self.groups), fill_value=True))

    @property
    def coverage(self) -> float:
        """Share of the systems in their intervals, each by the errors of the other groups."""
        groups, covered = np.array(self.groups), np.zeros(len(self.groups))
        for group in set(self.groups):
            own = groups == group
            covered[own] = np.abs(self.errors[own]) <= self._half_widths(self.deviations[own], ~own)
        return float(np.average(covered, weights=self._weights))

    def _half_widths(self, deviations: np.ndarray, known: np.ndarray) -> np.ndarray:
        errors, weights = self.errors[known], self._weights[known]
        common = np.average(errors**2, weights=weights)
        ratios = np.abs(errors) / np.sqrt(self.deviations[known] ** 2 + common)
        return _quantile(ratios, weights) * np.sqrt(deviations**2 + common)

    @property
    def _weights(self) -> np.ndarray:
        counts = Counter(self.groups)
        return np.array([1 / counts[group] for group in self.groups])


def _quantile(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the least value that `LEVEL` of the weight does not exceed."""
    order = np.argsort(values)
    passed = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(passed, LEVEL - 1e-9)])


def left_out(regression: Regression, features: Features, values: np.ndarray, groups: Sequence[str]) -> HeldOut | None:
    """Predict each value from those of other groups; None where there is one group alone."""
    errors, deviations = np.zeros(len(values)), np.ones(len(values))
    if len(set(groups)) < 2:
        return None
    for group in sorted(set(groups)):
        asked = [number for number, own in enumerate(groups) if own == group]
        known = [number for number, own in enumerate(groups) if own != group]
        found = regression(features, values, known, asked)
        errors[asked], deviations[asked] = found.mean - values[asked], found.deviation
    return HeldOut(errors, deviations, tuple(groups))


def gains_of(systems: Iterable[Finished]) -> np.ndarray:
    """Return what each system gained over the untouched model."""
    return np.array([own.gain.mean for own in systems])


def all_left_out(
    features: Features,
    systems: Sequence[Finished],
    regressions: Mapping[str, Regression] = REGRESSIONS,
    schemes: Iterable[str] = tuple(SCHEMES),
) -> dict[str, dict[str, HeldOut]]:
    """Return what was left out in every way, by regression and by scheme."""
    values = gains_of(systems)
    found = {
        name: {scheme: left_out(regression, features, values, SCHEMES[scheme](systems)) for scheme in schemes}
        for name, regression in regressions.items()
    }
    return {name: {scheme: own for scheme, own in by.items() if own} for name, by in found.items()}


def best_of(found: Mapping[str, Mapping[str, HeldOut]]) -> str:
    """Return the regression whose errors are the smallest in the mean over the schemes."""
    return min(found, key=lambda name: np.mean([own.mean_error for own in found[name].values()]))
