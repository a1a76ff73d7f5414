"""Test the claims of the configuration on the cells of its studies: `findings.json` and `findings.md`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.config import contrasts
from mtpeft.steps.cells_of_studies import cell_files, cell_records, cells_params, metric_records
from mtpeft.steps.claim_params import claim_params, tested_cells
from mtpeft.steps.measure_similarity import similarity_records
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration") -> Params:
    """Params of the claims, with the folders of the cells that they are tested on."""
    return claim_params(configuration) | cells_params(configuration, tested_cells(configuration))


def inputs(configuration: "Configuration") -> Inputs:
    """Records of the cells that the claims are tested on, and the similarities of their test sets."""
    cells = tested_cells(configuration)
    ranked = [cell for cell in cells if cell in contrasts.cells_with_ranks(configuration)]
    return {
        "records": cell_records(cells),
        "metrics": metric_records(configuration, cells),
        "similarities": similarity_records(configuration),
        **({"ranks": cell_files(ranked, "representations.json")} if ranked else {}),
    }


def run(params: Params, *, similarities: list[Path], record: Path, page: Path) -> None:
    """Test the claims of the configuration by rules that were written before any score was read."""
    from mtpeft.analysis.findings.assess import write_findings
    from mtpeft.analysis.score_tables import metrics_of_params

    metrics = metrics_of_params(params, contrasts.claim_cells(params))
    write_findings(params, similarities=similarities, record=record, page=page, metrics=metrics)


STEP = Step("test_claims", 2, (), params, run, inputs, makes=("record", "page"))
