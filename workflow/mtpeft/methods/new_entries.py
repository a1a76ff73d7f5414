"""Entries that were added to a model's vocabulary: every method trains them, within its budget."""

from collections.abc import Sequence

from mtpeft.methods.base import TargetModule
from mtpeft.models.architecture import NEW_ENTRIES, ModelShape


def new_entry_targets(shape: ModelShape, targets: Sequence[TargetModule]) -> Sequence[TargetModule]:
    """Count the rows of the new entries (entries x d, in each matrix), unless a method trains the whole matrix."""
    if not shape.new_entries or any(target.module == shape.embedding_module for target in targets):
        return []
    return [TargetModule.fixed(new_entry_module(shape), shape.matrices * shape.new_entries * shape.d_model)]


def new_entry_parameters(shape: ModelShape) -> int:
    """Return how many parameters of new entries every method trains and stores, unless it has the whole matrix."""
    return sum(target.cost(1) for target in new_entry_targets(shape, ()))


def new_entry_module(shape: ModelShape) -> str:
    """Return the name of the module that holds the rows of the new entries."""
    return f"{shape.embedding_module}.{NEW_ENTRIES}"
