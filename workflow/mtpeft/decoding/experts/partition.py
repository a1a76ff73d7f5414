"""Split the hidden units of a feed-forward block into experts of equal size, by two criteria of Zhang et al. 2022.

`clusters` puts units together whose weights in the first layer are alike. `co-activation` puts units together that are
active for the same tokens: they are the nodes of a graph, whose edges count these tokens. The paper cuts the graph with
METIS. Here it is cut as in spectral clustering (Ng, Jordan & Weiss 2001, On Spectral Clustering): units are embedded by
the leading eigenvectors of the normalised adjacency matrix, and then clustered as the weights are.
"""

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment

ROUNDS = 20
"""Most rounds of balanced k-means; it ends earlier where no unit changes its expert."""
PRICE_STEPS = 100
"""Steps in which the prices of groups are set before an assignment; without them it takes a hundred times as long."""


def balanced_clusters(rows: np.ndarray, experts: int, *, seed: int) -> np.ndarray:
    """Cluster rows into groups of equal size by k-means, with a balanced assignment (Malinen & Fränti 2014).

    Args:
        rows: shape (units, width).
        experts: number of groups, which divides the number of rows.
        seed: of the choice of the first centres.

    Returns:
        The units of each group, in ascending order: shape (experts, units / experts).
    """
    rows = rows.astype(np.float64)
    centres = _first_centres(rows, experts, np.random.default_rng(seed))
    owners = balanced(rows, centres)
    for _ in range(ROUNDS):
        centres = _means(rows, owners, centres)
        before, owners = owners, balanced(rows, centres)
        if (owners == before).all():
            break
    return np.stack([np.flatnonzero(owners == expert) for expert in range(experts)])


def _first_centres(rows: np.ndarray, experts: int, generator: np.random.Generator) -> np.ndarray:
    """Draw rows as centres, those far from the ones drawn before with a higher probability (k-means++)."""
    chosen = [int(generator.integers(len(rows)))]
    nearest = _distances(rows, rows[chosen]).min(1)
    for _ in range(experts - 1):
        total = nearest.sum()
        shares = nearest / total if total else np.full(len(rows), 1 / len(rows))
        chosen.append(int(generator.choice(len(rows), p=shares)))
        nearest = np.minimum(nearest, _distances(rows, rows[chosen[-1:]])[:, 0])
    return rows[chosen]


def _distances(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances, shape (rows, centres)."""
    found = (rows**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * rows @ centres.T
    return found.clip(min=0)


def _means(rows: np.ndarray, owners: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the mean of each group; a group without rows keeps its centre."""
    groups = (rows[owners == expert] for expert in range(len(centres)))
    return np.stack([own.mean(0) if len(own) else old for own, old in zip(groups, centres, strict=True)])


def balanced(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the group of each row, such that groups are of equal size and the sum of distances is the least.

    A price that all rows pay for a group changes no balanced assignment. With prices under which groups are nearly of
    equal size by themselves, few rows are left for the assignment to move.
    """
    distances, size = _distances(rows, centres), len(rows) // len(centres)
    prices, unit = np.zeros(len(centres)), distances.std()
    for step in range(PRICE_STEPS):
        counts = np.bincount((distances + prices).argmin(1), minlength=len(centres))
        prices += 0.3 * unit / (1 + step / 20) * (counts / size - 1)
    _, places = linear_sum_assignment(np.repeat(distances + prices, size, axis=1))
    return places // size


def co_activation_rows(counts: np.ndarray, dimensions: int) -> np.ndarray:
    """Embed units such that those which are active for the same tokens lie in the same direction.

    Args:
        counts: number of tokens for which both of two units are active: shape (units, units).
        dimensions: of the embedding, one for each expert.

    Returns:
        Rows of length 1, or 0 for a unit that was never active: shape (units, dimensions).
    """
    weights = counts.astype(np.float64)
    np.fill_diagonal(weights, 0.0)
    degrees = weights.sum(1)
    scale = np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)
    units = len(weights)
    _, vectors = eigh(scale[:, None] * weights * scale, subset_by_index=(max(0, units - dimensions), units - 1))
    vectors[degrees == 0] = 0.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
