"""What a cell trains of its base model: counted before any weight is loaded, and compared with what was built and with
what is left at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from mtpeft.core.errors import UserError
from mtpeft.methods import METHODS
from mtpeft.methods.base import Site
from mtpeft.methods.budget import Allocation, OutOfReachError, allocation_of, count, places, sites_of
from mtpeft.methods.new_entries import new_entry_place
from mtpeft.models.architecture import ModelShape
from mtpeft.models.load import parameters


@dataclass(frozen=True)
class Counted:
    """The base model's shape, where a method could train something, and what the cell trains of it, all of it known
    before any weight is loaded.
    """

    shape: ModelShape
    sites: Sequence[Site]
    allocation: Allocation

    def places_of(self, sizes: Mapping[str, int]) -> str:
        """In how many of its places something has a size; nothing where the method has no places."""
        return places(self.sites, sizes) if self.sites else ""


def count_trained(settings: Mapping[str, Any], shape: ModelShape) -> Counted:
    """What settings train of a model of this shape.

    Raises:
        UserError: the budget is out of the method's reach.
    """
    method = METHODS[settings["method"]["method"]]
    try:
        allocation = allocation_of(method, settings["method"], shape, share=settings["budget"])
    except OutOfReachError as error:
        raise UserError(
            f"The method '{method.name}' can't train {settings['budget']:.3%} of this model ({error}); "
            "write another share in 'budgets'."
        ) from error
    return Counted(shape, sites_of(method, shape, settings["method"]), allocation)


def require_counted(counted: Counted, options: Mapping[str, Any], model: nn.Module) -> None:
    """Assert that a built model trains what was counted, or that what it starts with leads there."""
    method, shape, allocation = METHODS[options["method"]], counted.shape, counted.allocation
    total, trained = parameters(model)
    added = trained - shape.total if method.trains_base else trained
    wanted = method.starts_with(shape, options, allocation.sizes) if method.starts_with else allocation.trained
    if (total - added, trained) != (shape.total, wanted):
        raise AssertionError(
            f"counted {wanted} trained of {shape.total} parameters, built {trained} of {total - added}"
        )


def sizes_at_end(counted: Counted, options: Mapping[str, Any], model: nn.Module) -> Mapping[str, int]:
    """Sizes of a finished model, asserted to hold exactly what was counted."""
    method, allocation = METHODS[options["method"]], counted.allocation
    if not method.sizes_left:
        return allocation.sizes
    new = new_entry_place(counted.shape)
    left = {**method.sizes_left(model), **({new: allocation.sizes[new]} if new in allocation.sizes else {})}
    found = count(counted.sites, left)
    if found != allocation.trained:
        raise AssertionError(f"counted {allocation.trained} parameters at the end, left {found}")
    return left
