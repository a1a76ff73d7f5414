"""An example of a metric that is no part of the package: words of the hypotheses per word of the references.

The smallest metric there is: two numbers for each sentence. To use it:

    modules: [workflow/examples/length_ratio.py]
    metrics: [chrf, bleu, length_ratio]

Tables have its columns then, and figures and claims are drawn and tested in it with `metric: length_ratio`. This file
is read whenever Snakemake reads the configuration, so it imports nothing heavy.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtpeft.metrics.base import Measured, Metric

if TYPE_CHECKING:
    import numpy as np


def measure(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Measured:
    """Words of each hypothesis and of its reference."""
    pairs = zip(hypotheses, references, strict=True)
    return Measured([(len(hypothesis.split()), len(reference.split())) for hypothesis, reference in pairs])


def corpus_score(sums: "np.ndarray") -> "np.ndarray":
    """Words of all hypotheses per word of all references: from shape [..., 2] to shape [...]."""
    return sums[..., 0] / sums[..., 1]


LENGTH_RATIO = Metric(
    name="length_ratio",
    title="length ratio",
    margin=0.05,
    measure=measure,
    corpus_score=corpus_score,
    digits_of_scores=2,
)
