"""Install mtdata into an environment of its own, since it needs other versions than the workflow."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.isolated import install
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

RECORD = "data/mtdata/environment/installed.json"


def params(configuration: "Configuration") -> Params:
    """Params of the installation: the pins."""
    return {"requirements": install.pins_of("mtdata")}


def run(params: Params, *, record: Path) -> None:
    """Install mtdata beside the workflow."""
    from mtpeft.data.sources.mtdata.environment import install_mtdata

    install_mtdata(params, record=record)


STEP = Step("install_mtdata", 1, (), params, run)
