"""What the findings of a configuration are tested on: records of cells, and the subsets that these have read."""

from functools import lru_cache

from mtpeft.cells import ANY
from mtpeft.config import folders
from mtpeft.config.contrasts import claim_cells
from mtpeft.config.paths import cell_records
from mtpeft.config.schema import Configuration
from mtpeft.config.settings import findings_settings
from mtpeft.config.wildcards import Wildcards


def finding_records(configuration: Configuration) -> list[str]:
    """Records of the cells that the findings are tested on."""
    return cell_records(claim_cells(findings_settings(configuration)))


def finding_similarities(configuration: Configuration) -> list[str]:
    """Records of how much the test sentences resemble what the cells have read that the findings are tested on."""
    folder = folders.results_folder(configuration) / "similarity"
    names = [folders.pair_name(configuration, pair) for pair in _subsets_of_claims(configuration)]
    return [f"{folder}/{name}.json" for name in names]


def similarity_inputs(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Subsets of a pair that the cells of the findings have read."""
    return _subsets_of_claims(configuration).get(wildcards["pair"], [])


@lru_cache(maxsize=4)
def _subsets_of_claims(configuration: Configuration) -> dict[str, list[str]]:
    """Subsets that the cells of the findings have read, by pair, both sorted."""
    read = [cell for cell in claim_cells(findings_settings(configuration)) if cell.size != ANY]
    files: dict[str, set[str]] = {}
    for cell in read:
        files.setdefault(cell.pair, set()).add(folders.subset_file(configuration, cell, cell.pair))
    return {pair: sorted(own) for pair, own in sorted(files.items())}
