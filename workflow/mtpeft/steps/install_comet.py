"""Install COMET into an environment of its own, since it needs other versions than the workflow."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.isolated import install
from mtpeft.metrics import comet
from mtpeft.steps.step import Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

RECORD = comet.ENVIRONMENT


def params(configuration: "Configuration") -> Params:
    """Params of the installation: the pins."""
    return {"requirements": install.pins_of("comet")}


def run(params: Params, *, record: Path) -> None:
    """Install COMET beside the workflow."""
    from mtpeft.metrics.comet.environment import install_comet

    install_comet(params, record=record)


STEP = Step("install_comet", 1, (), params, run)
