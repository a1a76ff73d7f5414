"""Which linear layers a method stands beside, and in which order they get what a budget leaves them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from mtpeft.core.section import later
from mtpeft.methods.base import Site, TrainedMethodOptions
from mtpeft.models.architecture import Linear, ModelShape

FIRST = ("query", "value")
ALL_LAYERS = "all"
Layers = Literal["all", "query", "key", "value", "output", "feed_forward"]
"""All linear layers, or those of a role."""


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


class LinearsOptions(TrainedMethodOptions):
    """Keys of a method that stands beside linear layers, with a size for each."""

    layers: Annotated[list[Layers], BeforeValidator(_listed)] | None = later(
        None,
        min_length=1,
        description="Linear layers by their role, such as [query, value], or all: the same ones at every budget, and "
        "budgets too small for all of them are refused. Empty: all that the budget has room for, queries and values "
        "first, so that which these are depends on the budget; the tables count them as places.",
    )


def most_useful_first(shape: ModelShape) -> Sequence[Linear]:
    """All linear layers, queries and values first.

    A budget too small for all layers does most there (section 7.1 of Hu et al. 2021, arXiv 2106.09685).
    """
    return sorted(shape.linears, key=lambda linear: linear.role not in FIRST)


def chosen_linears(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Linear]:
    """The linear layers that `layers` names, queries and values first."""
    layers = options.get("layers") or [ALL_LAYERS]
    return [x for x in most_useful_first(shape) if ALL_LAYERS in layers or x.role in layers]


def at_every_budget(sites: Sequence[Site], options: Mapping[str, Any]) -> Sequence[Site]:
    """The same places, of which none is left out if `layers` names them."""
    return [replace(site, least=max(1, site.least)) for site in sites] if options.get("layers") else sites
