"""Meet a parameter budget exactly: the largest uniform size first, then what is left, one site at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtpeft.methods.base import Method, Site
from mtpeft.models.shapes import ModelShape

PRINTED_STEPS = 100_000
"""Shares are printed in thousandths of a per cent."""


class OutOfReachError(ValueError):
    """The budget lies below the method's smallest or above its largest number of parameters."""


@dataclass(frozen=True)
class Allocation:
    """A size for every site, with what it costs and what it leaves of the budget."""

    sizes: Mapping[str, int]
    trained: int
    left_over: int


def reach(sites: Sequence[Site]) -> tuple[int, int]:
    """Smallest and largest number of parameters that the sites can hold."""
    return sum(site.fixed + site.step for site in sites), sum(site.fixed + site.step * site.most for site in sites)


def reachable(sites: Sequence[Site], total: int) -> str:
    """The shares of `total` parameters that the sites can hold, rounded inwards so that both ends can be asked for."""
    low, high = reach(sites)
    step = total / PRINTED_STEPS
    return f"{math.ceil(low / step) / PRINTED_STEPS:.3%} to {math.floor(high / step) / PRINTED_STEPS:.3%}"


def allocate(sites: Sequence[Site], budget: int) -> Allocation:
    """Sizes that cost at most `budget` parameters and leave less than the smallest single step.

    All sites get the same size first; the remainder goes to the sites in the order in which they stand, one step each.

    Raises:
        OutOfReachError: no sizes fit.
    """
    low, high = reach(sites)
    if not low <= budget <= high:
        raise OutOfReachError(f"{budget} parameters lie outside {low} to {high}")
    uniform = _uniform_size(sites, budget)
    sizes = {site.module: min(uniform, site.most) for site in sites}
    left = budget - count(sites, sizes)
    while growable := [site for site in sites if site.step <= left and sizes[site.module] < site.most]:
        for site in growable:
            if site.step <= left:
                sizes[site.module] += 1
                left -= site.step
    return Allocation(sizes=sizes, trained=budget - left, left_over=left)


def allocation_of(method: Method, options: Mapping[str, Any], shape: ModelShape, *, share: float | None) -> Allocation:
    """What a method that trains something trains in a model; `share` is the budget of a `sized` one.

    Raises:
        OutOfReachError: no sizes fit the budget.
    """
    if method.sites is None:
        return Allocation(sizes={}, trained=shape.total, left_over=0)
    sites = method.sites(shape, options)
    return allocate(sites, reach(sites)[0] if share is None else int(share * shape.total))


def count(sites: Sequence[Site], sizes: Mapping[str, int]) -> int:
    """Parameters of the sites at the given sizes."""
    return sum(site.fixed + site.step * sizes[site.module] for site in sites)


def _uniform_size(sites: Sequence[Site], budget: int) -> int:
    low, high = 1, max(site.most for site in sites)
    while low < high:
        middle = (low + high + 1) // 2
        if count(sites, {site.module: min(middle, site.most) for site in sites}) <= budget:
            low = middle
        else:
            high = middle - 1
    return low
