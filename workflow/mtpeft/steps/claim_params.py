"""Params of the claims of a configuration, and the cells that they are tested on."""

from functools import lru_cache
from typing import TYPE_CHECKING

from mtpeft.cells import Cell
from mtpeft.config import claims, margins
from mtpeft.core.files import sha256_of
from mtpeft.core.languages import DISTANCES
from mtpeft.steps.step import Params
from mtpeft.steps.train import all_placed

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def claim_params(configuration: "Configuration") -> Params:
    """Every claim with the systems that it compares, and the sanity check before all of them."""
    return {
        "margin": margins.plain_margin(configuration.margin),
        "distances": sha256_of(DISTANCES),
        "claims": {label: claims.claim_settings(configuration, label) for label in configuration.findings},
        "gate": claims.gate_settings(configuration),
        "untouched": claims.untouched_settings(configuration),
    }


@lru_cache(maxsize=4)
def tested_cells(configuration: "Configuration") -> tuple[Cell, ...]:
    """Cells that the claims are tested on, with their folders."""
    return tuple(all_placed(configuration, claims.claim_cells(claim_params(configuration))))
