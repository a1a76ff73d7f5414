"""Trim the vocabulary of a base model to the tokens of the text of pairs and to the most frequent ones."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.base_models import BASE_RECORD, base_file, comes_from, train_text, trim_params
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def inputs(configuration: "Configuration", model: str) -> Inputs:
    """The model that is trimmed, and the training text whose tokens are kept."""
    trimming = configuration.models[model].trim
    return {
        "base": base_file(configuration, trimming.model),
        "texts": [train_text(configuration, pair) for pair in trimming.pairs],
    }


def run(params: Params, *, base: Path, texts: list[Path], record: Path) -> None:
    """Take entries out of the vocabulary of another base model, into `trimmed/` beside the record."""
    from mtpeft.core.files import read_record
    from mtpeft.data.tsv import read_pairs
    from mtpeft.models.derived.trim import trim_model
    from mtpeft.models.tokenizer import count_words, source_prompt

    folder, counts = Path(read_record(base)["folder"]), Counter[int]()
    for text, languages in zip(texts, params["languages"], strict=True):
        pairs, prompt = read_pairs(text), source_prompt(folder, languages, params.get("prompt"))
        counts += count_words(folder, [prompt + pair.source for pair in pairs], "source")
        counts += count_words(folder, [pair.target for pair in pairs], "target")
    trim_model(params, base=base, counts=counts, texts=texts, record=record)


STEP = Step(
    "trim_model",
    1,
    ("model",),
    trim_params,
    run,
    inputs,
    record=BASE_RECORD,
    makes_it=comes_from("trim"),
    starts_slowly=True,
)
