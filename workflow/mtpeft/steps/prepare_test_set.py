"""Take over a named test set of a pair as it is: `data/pairs/<pair>-<digest>/<test set>.tsv`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import corpora, pairs
from mtpeft.data import sources
from mtpeft.steps.downloads import download_file
from mtpeft.steps.step import Inputs, Labels, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", pair: str, test_set: str) -> Params:
    """Params of a named test set of one pair."""
    source, target = pairs.pair_languages(configuration, pair)
    return {"source": source, "target": target, **corpora.test_params(configuration, pair, test_set)}


def inputs(configuration: "Configuration", pair: str, test_set: str) -> Inputs:
    """The files to download, or the user's own files, that a named test set of a pair is read from."""
    downloads = corpora.test_downloads(configuration, pair, test_set)
    given = corpora.test_params(configuration, pair, test_set)
    return {
        "archives": list(map(download_file, downloads)),
        "own": list(map(str, sources.source_of(given).files(given))),
    }


def run(params: Params, *, archives: list[Path], table: Path, record: Path) -> None:
    """Take over a further test set as it is; no training text may resemble it."""
    from mtpeft.data.test_sets import prepare_test_set

    prepare_test_set(params, archives=archives, output=table, record=record)


def is_named(configuration: "Configuration", labels: Labels) -> bool:
    """Whether the pair has a test set of that name beside its own."""
    return labels["test_set"] in corpora.more_test_sets(configuration)


STEP = Step(
    "prepare_test_set",
    2,
    ("pair", "test_set"),
    params,
    run,
    inputs,
    makes=("table", "record"),
    record="data/pairs/{pair}/{test_set}.json",
    makes_it=is_named,
)
