"""Measure how much the test sentences of a pair resemble what the cells of the claims have read."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import ANY
from mtpeft.steps.cells_of_studies import results_folder
from mtpeft.steps.choose_subset import subset_file
from mtpeft.steps.claim_params import tested_cells
from mtpeft.steps.decontaminate_pair import pair_folder, pair_name
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", pair: str) -> Params:
    """Params of the similarity of a pair's test set to what cells have read."""
    return {"pair": pair}


@lru_cache(maxsize=4)
def _subsets_of_claims(configuration: "Configuration") -> dict[str, list[str]]:
    """Subsets that the cells of the claims have read, by pair, both sorted."""
    files: dict[str, set[str]] = {}
    for cell in tested_cells(configuration):
        if cell.size != ANY:
            files.setdefault(cell.pair, set()).add(subset_file(configuration, cell, cell.pair))
    return {pair: sorted(own) for pair, own in sorted(files.items())}


def inputs(configuration: "Configuration", pair: str) -> Inputs:
    """Training and test text of the pair, and the subsets that the cells of the claims have read."""
    folder = pair_folder(configuration, pair)
    return {
        "train": f"{folder}/train.tsv",
        "test": f"{folder}/test.tsv",
        "subsets": _subsets_of_claims(configuration).get(pair, []),
    }


def similarity_records(configuration: "Configuration") -> list[str]:
    """Records of the similarity of all pairs on which claims are tested."""
    folder = results_folder(configuration) / "similarity"
    return [f"{folder}/{pair_name(configuration, pair)}.json" for pair in _subsets_of_claims(configuration)]


def run(params: Params, *, train: Path, test: Path, subsets: list[Path], record: Path) -> None:
    """Compare the test set with what cells have read."""
    from mtpeft.data.subsets import measure_similarity

    measure_similarity(params, train=train, test=test, subsets=subsets, record=record)


STEP = Step("measure_similarity", 1, ("pair",), params, run, inputs)
