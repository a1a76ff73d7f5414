"""Params of the claims of a configuration, and the cells that they are tested on."""

from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.cells import Cell
from mtpeft.config import contrasts, metrics
from mtpeft.core.files import sha256_of
from mtpeft.core.languages import DISTANCES
from mtpeft.steps.step import Params
from mtpeft.steps.train import all_placed

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def claim_params(configuration: "Configuration") -> Params:
    """Every claim with the systems that it compares, and the sanity check before all of them."""
    return {
        "margin": metrics.margin_params(configuration),
        "distances": sha256_of(DISTANCES),
        "claims": {label: contrasts.finding_params(configuration, label) for label in configuration.findings},
        "gate": contrasts.full_fine_tuning_checks(configuration),
        "untouched": contrasts.untouched_checks(configuration),
    }


@lru_cache(maxsize=4)
def tested_cells(configuration: "Configuration") -> tuple[Cell, ...]:
    """Cells that the claims are tested on, with their folders."""
    return tuple(all_placed(configuration, contrasts.claim_cells(claim_params(configuration))))
