"""Params that the steps of a cell share: its languages, its base model's precision, its search."""

from mtpeft.cells import Cell
from mtpeft.config.resolve import pair_languages
from mtpeft.config.schema import Configuration
from mtpeft.config.section import plain
from mtpeft.steps.step import Params


def translation_params(configuration: Configuration, cell: Cell) -> Params:
    """Languages of a cell's pairs, how its base model is held, and the search with which it translates."""
    entry = configuration.models.get(cell.model)
    model = {"threads": entry.threads, **entry.held} if entry else {}
    search = {"search": plain(configuration.decoding)} if model else {}
    members = {
        pair: dict(zip(("source", "target"), pair_languages(configuration, pair), strict=True)) for pair in cell.members
    }
    pairs = {"members": members} if cell.is_group else {"languages": members[cell.pair]}
    return pairs | model | search
