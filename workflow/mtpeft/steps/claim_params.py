"""Params of the claims of a configuration, and the cells that they are tested on."""

from functools import lru_cache

from mtpeft.cells import Cell
from mtpeft.config.claims import claim_cells, claim_settings, gate_settings, untouched_settings
from mtpeft.config.margins import plain_margin
from mtpeft.config.resolve import PROJECT
from mtpeft.config.schema import Configuration
from mtpeft.core.files import sha256_of
from mtpeft.steps.step import Params
from mtpeft.steps.train import all_placed

DISTANCES = PROJECT / "workflow" / "distances" / "lang2vec.csv"
"""Distances of languages from English."""


def claim_params(configuration: Configuration) -> Params:
    """Every claim with the systems that it compares, and the sanity check before all of them."""
    return {
        "margin": plain_margin(configuration.margin),
        "distances": sha256_of(DISTANCES),
        "claims": {label: claim_settings(configuration, label) for label in configuration.findings},
        "gate": gate_settings(configuration),
        "untouched": untouched_settings(configuration),
    }


@lru_cache(maxsize=4)
def tested_cells(configuration: Configuration) -> tuple[Cell, ...]:
    """Cells that the claims are tested on, with their folders."""
    return tuple(all_placed(configuration, claim_cells(claim_params(configuration))))
