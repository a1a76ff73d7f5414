"""Which trained parameters weight decay pulls towards zero: weights, and updates of weights, that are at home there.

A scale, a norm or a magnitude is at home at one or at what the base has, and a bias at what the base has, so that a
pull towards zero would damage the model. Loshchilov & Hutter 2019 (arXiv 1711.05101) decouple the decay from the
gradient; that vectors are left out of it is the custom of the field.
"""

from collections.abc import Mapping

BIAS = "bias"
"""In the names of biases of more than one dimension, such as one for each language, or T5's by distance."""


def decays(name: str, dimensions: int, exceptions: Mapping[str, bool]) -> bool:
    """Whether a parameter decays: matrices do, but for biases; vectors don't.

    Args:
        name: of the parameter in the model.
        dimensions: of its shape.
        exceptions: of the method, by a part of the name.
    """
    for part, does in exceptions.items():
        if part in name:
            return does
    return dimensions > 1 and BIAS not in name


def learning_rate(update: int, *, peak: float, updates: int, warmup: float) -> float:
    """Linear warm-up over a share of the updates, then linear decay that would reach 0 one update after the last."""
    rising = max(1, round(warmup * updates))
    if update < rising:
        return peak * (update + 1) / rising
    return peak * (updates - update) / max(1, updates - rising)
