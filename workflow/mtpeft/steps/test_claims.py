"""Test the claims of the configuration on the cells of its studies: `findings.json` and `findings.md`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import claims
from mtpeft.steps.cells_of_studies import cell_records, cells_params, comet_records
from mtpeft.steps.claim_params import claim_params, tested_cells
from mtpeft.steps.measure_similarity import similarity_records
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration") -> Params:
    """Params of the claims, with the folders of the cells that they are tested on."""
    return claim_params(configuration) | cells_params(tested_cells(configuration))


def inputs(configuration: "Configuration") -> Inputs:
    """Records of the cells that the claims are tested on, and the similarities of their test sets."""
    cells = tested_cells(configuration)
    return {
        "records": cell_records(cells),
        "comet": comet_records(configuration, cells),
        "similarities": similarity_records(configuration),
    }


def run(params: Params, *, similarities: list[Path], record: Path, page: Path) -> None:
    """Test the claims of the configuration by rules that were written before any score was read."""
    from mtpeft.analysis.claims.assess import write_findings

    cells = claims.claim_cells(params) if params.get("comet") else ()
    write_findings(params, similarities=similarities, record=record, page=page, comet=cells)


STEP = Step("test_claims", 2, (), params, run, inputs, makes=("record", "page"))
