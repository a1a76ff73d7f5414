"""Extend the vocabulary of a base model by tokens of languages and by pieces of the text of pairs."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.base_models import BASE_RECORD, base_file, comes_from, extend_params, train_text
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """The model that is extended, and the training text from which new pieces are learnt."""
    extension = configuration.models[model].extend
    pairs = extension.pieces.pairs if extension.pieces else []
    return {
        "base": base_file(configuration, extension.model),
        "texts": [train_text(configuration, pair) for pair in pairs],
    }


def run(params: Params, *, base: Path, texts: list[Path], record: Path) -> None:
    """Add entries to the vocabulary of another base model, into `extended/` beside the record."""
    from mtpeft.data.tsv import read_pairs
    from mtpeft.models.derived.extend import extend_model

    sides = zip(params["sides"], texts, strict=True)
    sentences = {text: [getattr(pair, side) for pair in read_pairs(text)] for side, text in sides}
    extend_model(params, base=base, sentences=sentences, record=record)


STEP = Step(
    "extend_model",
    1,
    ("model",),
    extend_params,
    run,
    inputs,
    record=BASE_RECORD,
    makes_it=comes_from("extend"),
    starts_slowly=True,
)
