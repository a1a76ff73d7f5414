"""Take over a named test set of a pair as it is: `data/pairs/<pair>-<digest>/<test set>.tsv`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import resolve, test_sets
from mtpeft.steps.clean_pair import files_params
from mtpeft.steps.fetch_dataset import dataset_file
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", pair: str, test_set: str) -> Params:
    """Params of a named test set of one pair."""
    source, target = resolve.pair_languages(configuration, pair)
    datasets = test_sets.test_datasets(configuration, pair, test_set)
    text = (
        {"mtdata": datasets}
        if datasets
        else {"files": files_params(test_sets.given_test(configuration, pair, test_set))}
    )
    return {"source": source, "target": target, **text}


def inputs(configuration: "Configuration", pair: str, test_set: str) -> Inputs:
    """The datasets, or the user's own files, that a named test set of a pair is made of."""
    datasets = test_sets.test_datasets(configuration, pair, test_set)
    given = test_sets.given_test(configuration, pair, test_set)
    return {
        "archives": [dataset_file(configuration, dataset) for dataset in datasets],
        "own": [] if given.mtdata else list((given.both_sides or given.sides).values()),
    }


def run(params: Params, *, archives: list[Path], table: Path, record: Path) -> None:
    """Take over a further test set as it is; no training text may resemble it."""
    from mtpeft.data.given_tests import take_in_test

    take_in_test(params, archives=archives, output=table, record=record)


STEP = Step(
    "prepare_test_set",
    2,
    ("pair", "test_set"),
    params,
    run,
    inputs,
    makes=("table", "record"),
    record="data/pairs/{pair}/{test_set}.json",
)
