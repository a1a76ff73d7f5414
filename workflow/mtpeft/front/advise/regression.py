"""Regressions of what fine-tuning gains on what is known of a system, by scikit-learn.

A Gaussian process (Rasmussen & Williams 2006) and extremely randomised trees (Geurts et al. 2006). Held-out cells
choose between them; `mtpeft.front.advise.held_out` does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpeft.core.errors import UserError
from mtpeft.front.advise.points import Features

REQUIREMENTS = "envs/advise.txt"
TREES, SEED = 50, 0
Values = np.ndarray


@dataclass(frozen=True)
class Prediction:
    """What a regression says of some points.

    Attributes:
        mean: of each.
        covariance: of what it does not know of them, without the noise of a measurement.
        noise: variance of a measurement.
        likeness: of each point to each row that was learnt from, from 0 for nothing in common to 1 for the same.
    """

    mean: Values
    covariance: Values
    noise: float
    likeness: Values

    @property
    def deviation(self) -> Values:
        """Standard deviation of a measurement of each point."""
        return np.sqrt(np.diag(self.covariance) + self.noise)


Regression = Callable[[Features, Values, Sequence[int], Sequence[int]], Prediction]
"""Is given all rows, their values, the numbers of those to learn from and of those to predict."""


def require_sklearn() -> None:
    """Require that scikit-learn is installed.

    Raises:
        UserError: it is not.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"`advise` needs scikit-learn, which is not installed; run `.venv/bin/pip install -r {REQUIREMENTS}`."
        ) from error


def gaussian_process(features: Features, values: Values, known: Sequence[int], asked: Sequence[int]) -> Prediction:
    """Learn from the known rows and predict the others by a Gaussian process.

    Its covariance has a part of the pair alone, and one of all that is known of a system; columns of one label share a
    length scale. Its parameters are those that make the known values most likely.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
    from threadpoolctl import threadpool_limits

    from mtpeft.front.advise.kernel import GroupedRBF

    columns = range(len(features.groups))
    pair = tuple(column for column in columns if features.of_pair[column])
    system = tuple(column for column in columns if not features.of_pair[column])
    parts = [
        ConstantKernel(1.0, (1e-3, 1e3)) * GroupedRBF.of(own, [features.groups[column] for column in own])
        for own in (pair, system)
    ]
    rows, target = features.values[list(known)], values[list(known)]
    scale, mean = float(target.std()) or 1.0, float(target.mean())
    process = GaussianProcessRegressor(parts[0] + parts[1] + WhiteKernel(1e-2, (1e-4, 1.0)), alpha=1e-8)
    # Several threads take longer for matrices of this size.
    with threadpool_limits(1), _without_warnings():
        process.fit(rows, (target - mean) / scale)
        predicted, covariance = process.predict(features.values[list(asked)], return_cov=True)
    noise = float(process.kernel_.k2.noise_level)
    signal = process.kernel_.k1
    shared = signal(features.values[list(asked)], rows)
    return Prediction(
        mean=predicted * scale + mean,
        covariance=(covariance - noise * np.eye(len(covariance))) * scale**2,
        noise=noise * scale**2,
        likeness=shared / signal.diag(rows)[0],
    )


def trees(features: Features, values: Values, known: Sequence[int], asked: Sequence[int]) -> Prediction:
    """Learn from the known rows and predict the others by extremely randomised trees.

    What the trees do not know is how they differ; two rows are alike in as many trees as they share a leaf in.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    rows, others = features.values[list(known)], features.values[list(asked)]
    target = values[list(known)]
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=SEED).fit(rows, target)
    each = np.array([tree.predict(others) for tree in forest.estimators_])
    return Prediction(
        mean=each.mean(axis=0),
        covariance=np.atleast_2d(np.cov(each.T)),
        noise=float(np.mean((forest.predict(rows) - target) ** 2)),
        likeness=np.mean(forest.apply(others)[:, None, :] == forest.apply(rows)[None, :, :], axis=2),
    )


def nearest(features: Features, values: Values, known: Sequence[int], asked: Sequence[int]) -> Prediction:
    """Predict the value of the nearest known row, as one would by looking it up; a yardstick for the others."""
    rows, others = features.values[list(known)], features.values[list(asked)]
    apart = ((others[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    found = values[list(known)][apart.argmin(axis=1)]
    spread = float(values[list(known)].var())
    return Prediction(found, spread * np.eye(len(found)), 0.0, np.exp(-apart))


REGRESSIONS: Mapping[str, Regression] = {"Gaussian process": gaussian_process, "trees": trees}
"""Those between which held-out cells choose."""
YARDSTICK: Mapping[str, Regression] = {"nearest cell": nearest}


def _without_warnings() -> Any:
    """Leave out what scikit-learn says of parameters at an end of their range, which is no mistake of the user."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
