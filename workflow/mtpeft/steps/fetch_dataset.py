"""Fetch a published dataset with mtdata: `data/mtdata/<dataset>-<digest>.tsv.gz` with its sentence pairs."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import digest_of, name_of
from mtpeft.config import datasets, pins
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", dataset: str) -> Params:
    """Params of the download; the hash where the configuration states it."""
    stated = [{"sha256": digest} for digest in datasets.stated_hashes(configuration, dataset)]
    version = pins.pinned_version("mtdata", "mtdata")
    return {"id": dataset, "mtdata": version, **(stated or [{}])[0]}


def dataset_name(configuration: "Configuration", dataset: str) -> str:
    """Id of a dataset with the digest of what is downloaded; a stated hash checks it, and makes it no other one."""
    own = {key: value for key, value in params(configuration, dataset).items() if key != "sha256"}
    return name_of(dataset, digest_of(own))


def dataset_file(configuration: "Configuration", dataset: str) -> str:
    """The pairs of a published dataset; the record lies beside it, as `.json`."""
    return f"data/mtdata/{dataset_name(configuration, dataset)}.tsv.gz"


def run(params: Params, *, environment: Path, archive: Path, record: Path) -> None:
    """Download a dataset, going on where a break left it, check its hash, keep its pairs."""
    from mtpeft.data.sources.mtdata.fetch import fetch_dataset

    fetch_dataset(params, environment=environment, archive=archive, record=record)


STEP = Step(
    "fetch_dataset", 1, ("dataset",), params, run, makes=("archive", "record"), record="data/mtdata/{dataset}.json"
)
