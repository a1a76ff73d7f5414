"""Fetch a published dataset with mtdata: `data/mtdata/<dataset>-<digest>.tsv.gz` with its sentence pairs."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.downloads import download_params
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", dataset: str) -> Params:
    """Params of the download of one dataset; the hash where the configuration states it."""
    return download_params(configuration, "data/mtdata", dataset)


def run(params: Params, *, environment: Path, archive: Path, record: Path) -> None:
    """Download a dataset, going on where a break left it, check its hash, keep its pairs."""
    from mtpeft.data.sources.mtdata.fetch import fetch_dataset

    fetch_dataset(params, environment=environment, archive=archive, record=record)


STEP = Step(
    "fetch_dataset",
    1,
    ("dataset",),
    params,
    run,
    makes=("archive", "record"),
    record="data/mtdata/{dataset}.json",
)
