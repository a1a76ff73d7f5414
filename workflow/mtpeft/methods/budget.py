"""Meet a parameter budget exactly: the largest uniform size first, then what is left, one site at a time."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtpeft.methods.base import Method, Site
from mtpeft.methods.new_entries import new_entry_sites
from mtpeft.models.architecture import ModelShape

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
    """Smallest and largest number of parameters that the sites can hold; of those that may be left out, one is not."""
    required = sum(site.cost(site.least) for site in sites)
    one = min((site.cost(1) for site in sites if not site.least), default=0)
    return required + one, sum(site.cost(site.most) for site in sites)


def reachable(sites: Sequence[Site], total: int) -> str:
    """The shares of `total` parameters that the sites can hold, rounded inwards so that both ends can be asked for."""
    low, high = reach(sites)
    step = total / PRINTED_STEPS
    return f"{math.ceil(low / step) / PRINTED_STEPS:.3%} to {math.floor(high / step) / PRINTED_STEPS:.3%}"


def allocate(sites: Sequence[Site], budget: int) -> Allocation:
    """Sizes that cost at most `budget` parameters and leave less than the smallest single step.

    All sites get the same size first; the remainder goes to the sites in the order in which they stand, one step each.
    Sites that get nothing are not named.

    Raises:
        OutOfReachError: no sizes fit.
    """
    low, high = reach(sites)
    if not low <= budget <= high:
        raise OutOfReachError(f"{budget} parameters lie outside {low} to {high}")
    uniform = _uniform_size(sites, budget)
    sizes = _sizes(sites, uniform)
    left = budget - count(sites, sizes)
    while growable := [site for site in sites if sizes[site.module] < site.most and _next(site, sizes) <= left]:
        for site in growable:
            if _next(site, sizes) <= left:
                left -= _next(site, sizes)
                sizes[site.module] += 1
    used = {module: size for module, size in sizes.items() if size}
    return Allocation(sizes=used, trained=budget - left, left_over=left)


def sites_of(method: Method, shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Places that a method trains in a model, what was added to its vocabulary included; none where it has no size."""
    sites = method.sites(shape, options) if method.sites else ()
    return [*sites, *new_entry_sites(shape, sites)] if sites else ()


def allocation_of(method: Method, options: Mapping[str, Any], shape: ModelShape, *, share: float | None) -> Allocation:
    """What a method that trains something trains in a model; `share` is the budget of a `sized` one.

    Raises:
        OutOfReachError: no sizes fit the budget.
    """
    if method.sites is None:
        return Allocation(sizes={}, trained=shape.total, left_over=0)
    return allocate_share(sites_of(method, shape, options), shape.total, share)


def allocate_share(sites: Sequence[Site], total: int, share: float | None) -> Allocation:
    """What is trained at a share of `total` parameters, or at the one size that there is.

    Raises:
        OutOfReachError: no sizes fit the budget.
    """
    return allocate(sites, reach(sites)[0] if share is None else int(share * total))


def places(sites: Sequence[Site], sizes: Mapping[str, int]) -> str:
    """In how many of the places something is trained, in words."""
    return f"{sum(bool(sizes.get(site.module)) for site in sites)} of {len(sites)}"


def count(sites: Sequence[Site], sizes: Mapping[str, int]) -> int:
    """Parameters of the sites at the given sizes."""
    return sum(site.cost(sizes.get(site.module, 0)) for site in sites)


def _sizes(sites: Sequence[Site], uniform: int) -> dict[str, int]:
    return {site.module: _within(site, uniform) for site in sites}


def _within(site: Site, size: int) -> int:
    return max(site.least, min(size, site.most))


def _next(site: Site, sizes: Mapping[str, int]) -> int:
    """What one step more costs at a site."""
    size = sizes[site.module]
    return site.cost(size + 1) - site.cost(size)


def _uniform_size(sites: Sequence[Site], budget: int) -> int:
    # Most places are alike, and their names don't matter here.
    alike = Counter((site.fixed, site.step, site.most, site.least, site.prices) for site in sites)
    kinds = [(Site("", *key), number) for key, number in alike.items()]
    low, high = 0, max(site.most for site in sites)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(number * site.cost(_within(site, middle)) for site, number in kinds) <= budget:
            low = middle
        else:
            high = middle - 1
    return low
