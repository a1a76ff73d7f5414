"""The covariance of a Gaussian process over rows in which several columns stand for one label.

It is imported where a regression runs, since it imports scikit-learn.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import RBF, Hyperparameter

SHORTEST, LONGEST, START = 0.5, 100.0, 1.0
"""Length scales: the least, the most, and the one to begin with, where 1 is a large step of a feature."""


class GroupedRBF(RBF):
    """A squared exponential over some columns, with one length scale for each group of columns.

    scikit-learn's own has one for all columns or one for each. The arguments are attributes of the same names, as
    scikit-learn copies kernels by them.
    """

    def __init__(
        self,
        length_scale: Any = 1.0,
        length_scale_bounds: Any = (SHORTEST, LONGEST),
        columns: tuple[int, ...] = (),
        groups: tuple[int, ...] = (),
    ) -> None:
        super().__init__(length_scale, length_scale_bounds)
        self.columns = columns
        self.groups = groups

    @classmethod
    def of(cls, columns: Sequence[int], groups: Sequence[int]) -> Self:
        """Make one for some columns, given the group of each."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        return cls([START] * len(numbers), columns=tuple(columns), groups=tuple(numbers[group] for group in groups))

    @property
    def hyperparameter_length_scale(self) -> Hyperparameter:
        """The length scales, as scikit-learn fits them."""
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds, np.size(self.length_scale))

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:  # noqa: N803
        """Return the covariance of rows and, if it is asked for, its gradient by the logarithms of the scales."""
        scaled = [
            cdist(X[:, own], (X if Y is None else Y)[:, own], "sqeuclidean") / scale**2
            for own, scale in zip(self._columns_of_groups(), np.atleast_1d(self.length_scale), strict=True)
        ]
        covariance = np.exp(-sum(scaled) / 2)
        if not eval_gradient:
            return covariance
        return covariance, np.stack([covariance * own for own in scaled], axis=-1)

    def _columns_of_groups(self) -> list[list[int]]:
        numbered = list(zip(self.columns, self.groups, strict=True))
        return [[column for column, own in numbered if own == group] for group in sorted(set(self.groups))]
