"""The order in which methods beside linear layers get what a budget leaves them."""

from collections.abc import Sequence

from mtpeft.models.shapes import Linear, ModelShape

FIRST = ("query", "value")


def most_useful_first(shape: ModelShape) -> Sequence[Linear]:
    """All linear layers, queries and values first.

    A budget too small for all layers does most there (section 7.1 of Hu et al. 2021, arXiv 2106.09685).
    """
    return sorted(shape.linears, key=lambda linear: linear.role not in FIRST)
