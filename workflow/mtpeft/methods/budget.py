"""Meet a parameter budget exactly: the largest uniform size first, then what is left, one target module at a time."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtpeft.methods.base import Method, MethodOptions, ModuleSizes, TargetModule
from mtpeft.methods.new_entries import new_entry_targets
from mtpeft.models.architecture import ModelShape

PRINTED_STEPS = 100_000
"""Shares are printed in thousandths of a per cent."""


class OutOfReachError(ValueError):
    """The budget lies below the method's smallest or above its largest number of parameters."""


@dataclass(frozen=True)
class Allocation:
    """A size for every target module, with what it costs and what it leaves of the budget."""

    sizes: ModuleSizes
    trained: int
    left_over: int


def reach(targets: Sequence[TargetModule]) -> tuple[int, int]:
    """Return the smallest and the largest number of parameters; of the modules that may be left out, one is not."""
    required = sum(target.cost(target.min_size) for target in targets)
    one = min((target.cost(1) for target in targets if not target.min_size), default=0)
    return required + one, sum(target.cost(target.max_size) for target in targets)


def reachable(targets: Sequence[TargetModule], total: int) -> str:
    """Return the reachable shares of `total` parameters, rounded inwards so that both ends can be asked for."""
    low, high = reach(targets)
    step = total / PRINTED_STEPS
    return f"{math.ceil(low / step) / PRINTED_STEPS:.3%} to {math.floor(high / step) / PRINTED_STEPS:.3%}"


def allocate(targets: Sequence[TargetModule], budget: int) -> Allocation:
    """Find sizes that cost at most `budget` parameters and leave less than the smallest single step.

    All target modules get the same size first. The remainder goes to them in the order in which they stand, one step
    each. Target modules that get nothing are not named.

    Raises:
        OutOfReachError: no sizes fit.
    """
    low, high = reach(targets)
    if not low <= budget <= high:
        raise OutOfReachError(f"{budget} parameters lie outside {low} to {high}")
    uniform = _uniform_size(targets, budget)
    sizes = _sizes(targets, uniform)
    left = budget - count(targets, sizes)
    while growable := [own for own in targets if sizes[own.module] < own.max_size and _next(own, sizes) <= left]:
        for target in growable:
            if _next(target, sizes) <= left:
                left -= _next(target, sizes)
                sizes[target.module] += 1
    used = {module: size for module, size in sizes.items() if size}
    return Allocation(sizes=used, trained=budget - left, left_over=left)


def targets_of(method: Method, shape: ModelShape, options: MethodOptions) -> Sequence[TargetModule]:
    """Return the target modules of a method in a model, with the new entries of its vocabulary.

    There are none where it trains all or nothing, or finds nothing to train in the model.
    """
    targets = method.target_modules(shape, options) if method.target_modules else ()
    return [*targets, *new_entry_targets(shape, targets)] if targets else ()


def allocation_of(method: Method, options: MethodOptions, shape: ModelShape, *, share: float | None) -> Allocation:
    """Return what a method trains in a model; `share` is the budget of a `budgeted` one.

    Raises:
        OutOfReachError: no sizes fit the budget.
    """
    if method.target_modules is None:
        return Allocation(sizes={}, trained=shape.total, left_over=0)
    return allocate_share(targets_of(method, shape, options), shape.total, share)


def allocate_share(targets: Sequence[TargetModule], total: int, share: float | None) -> Allocation:
    """Return what is trained at a share of `total` parameters, or at the only size that there is.

    Raises:
        OutOfReachError: no sizes fit the budget.
    """
    return allocate(targets, reach(targets)[0] if share is None else int(share * total))


def modules_used(targets: Sequence[TargetModule], sizes: ModuleSizes) -> str:
    """Return in how many of its target modules a method trains something, in words."""
    return f"{sum(bool(sizes.get(target.module)) for target in targets)} of {len(targets)}"


def count(targets: Sequence[TargetModule], sizes: ModuleSizes) -> int:
    """Return the number of parameters of the target modules at the given sizes."""
    return sum(target.cost(sizes.get(target.module, 0)) for target in targets)


def _sizes(targets: Sequence[TargetModule], uniform: int) -> dict[str, int]:
    return {target.module: _within(target, uniform) for target in targets}


def _within(target: TargetModule, size: int) -> int:
    return max(target.min_size, min(size, target.max_size))


def _next(target: TargetModule, sizes: ModuleSizes) -> int:
    """Return what the next size costs more at a target module."""
    size = sizes[target.module]
    return target.cost(size + 1) - target.cost(size)


def _uniform_size(targets: Sequence[TargetModule], budget: int) -> int:
    # Most target modules are alike, and their names don't matter here.
    alike = Counter((own.base, own.per_size, own.max_size, own.min_size, own.costs) for own in targets)
    kinds = [(TargetModule("", *key), number) for key, number in alike.items()]
    low, high = 0, max(target.max_size for target in targets)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(number * target.cost(_within(target, middle)) for target, number in kinds) <= budget:
            low = middle
        else:
            high = middle - 1
    return low
