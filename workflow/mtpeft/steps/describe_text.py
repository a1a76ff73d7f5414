"""Describe the test sentences as the models read them: their length, and tokens per word, in `text.csv`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY, Cell
from mtpeft.config import corpora, studies
from mtpeft.steps.base_models import tokens_folder
from mtpeft.steps.decontaminate_pair import reference
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def models_with_pairs(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """Models with the pairs that they are scored on in these cells, sorted."""
    return sorted({(cell.model, pair) for cell in cells if cell.model != ANY for pair in cell.members})


def params(configuration: "Configuration") -> Params:
    """Params of the description: which models read which test sets."""
    labels = [
        {"model": model, "pair": pair, "test_set": name}
        for model, pair in models_with_pairs(studies.all_cells(configuration))
        for name in corpora.test_sets(configuration, pair)
    ]
    return {"tested": labels}


def inputs(configuration: "Configuration") -> Inputs:
    """Text and token arrays of all test sets that a model of the studies reads."""
    rows = params(configuration)["tested"]
    folders = [(tokens_folder(configuration, row["model"], row["pair"]), row["test_set"]) for row in rows]
    return {
        "texts": [reference(configuration, row["pair"], row["test_set"]) for row in rows],
        "arrays": [f"{folder}/{name}.safetensors" for folder, name in folders],
    }


def run(params: Params, *, texts: list[Path], arrays: list[Path], output: Path, page: Path) -> None:
    """Describe the test sentences as the models read them."""
    from mtpeft.analysis.text_statistics import write_text_table

    write_text_table(params["tested"], texts=texts, arrays=arrays, output=output, page=page)


STEP = Step("describe_text", 2, (), params, run, inputs, makes=("output", "page"))
