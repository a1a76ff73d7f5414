"""Install COMET into an environment of its own, since it needs other versions than the workflow."""

from pathlib import Path

from mtpeft.config.pins import pins_of
from mtpeft.config.schema import Configuration
from mtpeft.steps.step import Params, Step

RECORD = "data/comet/environment/installed.json"


def params(configuration: Configuration) -> Params:
    """Params of the installation: the pins."""
    return {"requirements": pins_of("comet")}


def run(params: Params, *, record: Path) -> None:
    """Install COMET beside the workflow."""
    from mtpeft.metrics.comet.install import install_comet

    install_comet(params, record=record)


STEP = Step("install_comet", 1, (), params, run)
