"""The section `decoding`: the search for hypotheses, and what computes those of the test sets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mtpeft.cells import Cell
from mtpeft.config.methods import is_beside_base, merges
from mtpeft.config.model_shapes import model_shape
from mtpeft.core.options import DecodingOptions, InferenceOptions
from mtpeft.core.section import plain

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration
    from mtpeft.config.studies import Study

ENGINE = "'decoding.engine' is 'ctranslate2'"


class Decoding(InferenceOptions, DecodingOptions):
    """The search for hypotheses, the same for every cell, and what computes those of the test sets."""


def search_params(configuration: "Configuration") -> dict[str, Any]:
    """Return the search for hypotheses as the params of training, evaluation and decoding have it."""
    given = plain(configuration.decoding)
    return {key: value for key, value in given.items() if key not in InferenceOptions.model_fields}


def inference_params(configuration: "Configuration", cell: Cell) -> dict[str, Any]:
    """Return what computes the hypotheses of the test sets of a cell: the keys that change anything for it."""
    model, given = configuration.models.get(cell.model), plain(configuration.decoding)
    if model is None:
        return {}
    if configuration.decoding.engine != "torch":
        return {key: given[key] for key in ("engine", "quantised") if key in given}
    is_merged = "merged" in given and not model.reduced_precision and merges(configuration, cell.method)
    return {"merged": True} if is_merged else {}


def mistakes(configuration: "Configuration") -> Iterator[str]:
    """Find bits that belong to another engine, and cells of the studies that can't be merged or translated with."""
    given = configuration.decoding
    offloaded = [label for label, model in configuration.models.items() if model.offload]
    if offloaded and (given.merged or given.engine != "torch"):
        key = "merged" if given.merged else "engine"
        yield (
            f"'decoding.{key}' writes methods into the base model's weights, but 'models.{offloaded[0]}.offload' "
            "keeps these away; take one of the two out."
        )
    if configuration.decoding.engine == "torch":
        if configuration.decoding.quantised:
            yield "'decoding.quantised' is for CTranslate2; write 'engine: ctranslate2' beside it, or take it out."
        return
    for label, study in configuration.studies.items():
        for block in study.blocks:
            yield from _methods_beside_base(configuration, f"studies.{label}.methods", block)
            yield from _other_models(configuration, f"studies.{label}.models", block)


def _methods_beside_base(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find methods that stay beside the base model."""
    for method in study.methods:
        if is_beside_base(configuration, method) and not merges(configuration, method):
            yield (
                f"{ENGINE}, which reads merged models, but '{key}' names '{method}', which is not merged into its "
                "base; take one of the two out."
            )


def _other_models(configuration: "Configuration", key: str, study: "Study") -> Iterator[str]:
    """Find models of less precision, and students, whose recurrent units CTranslate2 does not know."""
    for model in study.models:
        for lowered_by in configuration.models[model].reduced_precision:
            yield f"{ENGINE}, but '{key}' names '{model}', which has '{lowered_by}'; take one of the two out."
        shape = model_shape(configuration, model)
        if shape and shape.task.is_prompted:
            yield (
                f"{ENGINE}, but '{key}' names '{model}', a decoder-only model, with which it is not tried; take one of "
                "the two out."
            )
        if shape and any(linear.role == "recurrence" for linear in shape.linears):
            yield f"{ENGINE}, but '{key}' names '{model}', a student, which it can't read; take one of the two out."
