"""Entries that were added to a model's vocabulary: trained with every method, within its budget."""

from collections.abc import Sequence

from mtpeft.methods.base import Site
from mtpeft.models.architecture import NEW_ENTRIES, ModelShape


def new_entry_sites(shape: ModelShape, sites: Sequence[Site]) -> Sequence[Site]:
    """The rows of the new entries (entries x d, in each matrix), unless the sites train the whole matrix."""
    place = new_entry_place(shape)
    if not shape.new_entries or any(site.module == shape.embedding_module for site in sites):
        return []
    return [Site.of_one_size(place, shape.matrices * shape.new_entries * shape.d_model)]


def new_entry_numbers(shape: ModelShape) -> int:
    """What every method trains and stores beside its own, unless that is the whole matrix."""
    return sum(site.cost(1) for site in new_entry_sites(shape, ()))


def new_entry_place(shape: ModelShape) -> str:
    """Name of the place in which the rows of the new entries stand."""
    return f"{shape.embedding_module}.{NEW_ENTRIES}"
