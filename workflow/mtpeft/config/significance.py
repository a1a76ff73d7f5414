"""The level of all tests, and how many resamples a test needs to be able to decide at it."""

import math

ALPHA = 0.05
POWER = 0.8
"""Share of repetitions that would decide, for which power analyses give the number of sentences and seeds."""
RESAMPLES = 1000
"""Resamples for intervals; with so many, their ends are known to a few hundredths of their width."""
FEWEST_FOR_TESTS, MOST_FOR_TESTS = 10_000, 100_000
DRAWS_BELOW_LEVEL = 20
"""Resampled effects beyond a bound with which a corrected test still decides; so many have an error of a fifth."""
MOST_TESTS = int(MOST_FOR_TESTS * ALPHA / DRAWS_BELOW_LEVEL)
"""Most tests of one claim: among more, the strictest could not decide with the most resamples that are drawn."""


def resamples_for(tests: int) -> int:
    """Resamples with which the strictest of so many tests, corrected after Holm, can decide, in thousands.

    The smallest p-value of n resamples is 1 / (n + 1), and the strictest of m tests decides below alpha / m.
    """
    needed = 1000 * math.ceil(DRAWS_BELOW_LEVEL * tests / ALPHA / 1000)
    return min(max(FEWEST_FOR_TESTS, needed), MOST_FOR_TESTS)
