"""Params that the steps of a cell share: its languages, its base model's precision, its search."""

from typing import TYPE_CHECKING

from mtpeft.cells import Cell
from mtpeft.config import decoding
from mtpeft.config import pairs as pairs_config
from mtpeft.core import section
from mtpeft.steps.step import Params

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def evaluation_params(configuration: "Configuration") -> Params:
    """How the dev set is read during training; nothing where all of it is, with the search for hypotheses."""
    evaluation = section.plain(configuration.evaluation)
    return {"evaluation": evaluation} if evaluation else {}


def translation_params(configuration: "Configuration", cell: Cell) -> Params:
    """Languages of a cell's pairs, the precision of its base model, and the search with which it translates."""
    entry = configuration.models.get(cell.model)
    model = {"threads": entry.threads, **entry.reduced_precision} if entry else {}
    search = {"search": decoding.search_params(configuration)} if model else {}
    members = {
        pair: dict(zip(("source", "target"), pairs_config.pair_languages(configuration, pair), strict=True))
        for pair in cell.members
    }
    pairs = {"members": members} if cell.is_group else {"languages": members[cell.pair]}
    return pairs | model | search
