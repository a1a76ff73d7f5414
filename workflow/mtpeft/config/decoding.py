"""The section `decoding`: the search for hypotheses, and what computes those of the test sets."""

from typing import TYPE_CHECKING, Any

from mtpeft.cells import Cell
from mtpeft.config.methods import merges
from mtpeft.core.options import DecodingOptions, InferenceOptions
from mtpeft.core.section import plain

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class Decoding(InferenceOptions, DecodingOptions):
    """The search for hypotheses, the same for every cell, and what computes those of the test sets."""


def search_params(configuration: "Configuration") -> dict[str, Any]:
    """Return the search for hypotheses as the params of training, evaluation and decoding have it."""
    given = plain(configuration.decoding)
    return {key: value for key, value in given.items() if key not in InferenceOptions.model_fields}


def inference_params(configuration: "Configuration", cell: Cell) -> dict[str, Any]:
    """Return what computes the hypotheses of the test sets of a cell: the keys that change anything for it."""
    model = configuration.models.get(cell.model)
    if model is None or model.reduced_precision or not merges(configuration, cell.method):
        return {}
    return {key: value for key, value in plain(configuration.decoding).items() if key in InferenceOptions.model_fields}
