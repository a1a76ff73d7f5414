"""The Pareto front: choices of which none is worse than another in everything."""

import numpy as np

ALIKE, NEXT_TO_NOTHING = 1.25, 0.01
"""Factor below which costs count as equal, since they are not known better, and share of the largest gain likewise."""


def front(gains: np.ndarray, costs: np.ndarray) -> list[int]:
    """Return the numbers of the choices that no other one dominates.

    One that gains nothing is worse than the untouched model. One is left out for another that gains as much, or next to
    nothing less, and costs less; of the others, one for another that gains more and costs, in each kind, less than
    `ALIKE` times as much.

    Args:
        gains: of each choice, shape (choices,).
        costs: of each choice, shape (choices, kinds of cost).
    """
    tolerance = NEXT_TO_NOTHING * float(gains.max(initial=0.0))
    cheaper = (costs[:, None, :] <= costs[None, :, :]).all(axis=2) & (costs[:, None, :] < costs[None, :, :]).any(axis=2)
    as_much = gains[:, None] >= gains[None, :] - tolerance
    kept = (gains > 0) & ~(cheaper & as_much).any(axis=0)
    affordable = (costs[:, None, :] <= ALIKE * costs[None, :, :]).all(axis=2)
    more = gains[:, None] > gains[None, :]
    dominated = (more & affordable & kept[:, None]).any(axis=0)
    return [int(number) for number in np.flatnonzero(kept & ~dominated)]


def best_within(gains: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Return the largest gain within the costs of a choice, in the mean over all choices.

    Someone who may spend what one of the choices costs, whichever it is, gains so much with the best. It is convex in
    the gains, so what will be learnt can't make it smaller in expectation.

    Args:
        gains: of several possibilities, shape (possibilities, choices).
        costs: of each choice, shape (choices, kinds of cost).
    """
    affordable = (costs[None, :, :] <= ALIKE * costs[:, None, :]).all(axis=2)
    values = np.where(affordable[:, None, :], np.maximum(gains, 0.0)[None, :, :], 0.0).max(axis=2)
    return values.mean(axis=0)
