"""Where the files of cells on other pairs than their own, and of groups on their members, lie: inputs of rules, beside
those in `paths`.
"""

from collections.abc import Iterable, Mapping

from mtpeft.cells import DIMENSIONS, OnPair
from mtpeft.config.folders import tables_folder
from mtpeft.config.paths import cell_of, cell_records
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_others, is_tuned, study_others, untouched_elsewhere
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.errors import UserError

RECORD = "score.json"


def on_other(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str]:
    """The labels of a cell with the other pair in the place of its own: what its steps read there is of that pair.

    Raises:
        UserError: the pair is its own, or is none of its group and the cell has forgotten nothing.
    """
    cell, other = cell_of(wildcards), wildcards["other"]
    if cell.pair == other:
        raise UserError(f"The cell {cell.path} is of '{other}' itself; its scores there are in its own {RECORD}.")
    if other not in cell.members and not is_tuned(configuration, cell):
        raise UserError(f"The cell {cell.path} tunes no base model, so it has forgotten nothing; name one that does.")
    return {name: wildcards[name] for name in DIMENSIONS} | {"pair": other}


def other_records(configuration: Configuration) -> list[str]:
    """Records of all cells on the pairs that they are scored on besides their own."""
    return _records(all_others(configuration))


def compared_records(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Records that tell what tuning costs: of a study's tuned cells on other pairs, and of the untouched models."""
    others = study_others(configuration, wildcards["study"])
    tuned = dict.fromkeys(other.cell for other in others)
    before = untouched_elsewhere(configuration, wildcards["study"])
    return [*(f"{cell.folder}/train.json" for cell in tuned), *_records(others), *cell_records(before)]


def table_of_others(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Summary of a study on other pairs, if it scores any."""
    study = wildcards["study"]
    table = tables_folder(configuration, study) / "others.csv"
    return [str(table)] if configuration.studies[study].also_score else []


def study_tables(configuration: Configuration) -> list[str]:
    """Tables of all studies."""
    folders = [tables_folder(configuration, study) for study in configuration.studies]
    own = [f"{folder}/{name}.csv" for folder in folders for name in ("scores", "summary")]
    return own + [file for study in configuration.studies for file in table_of_others(configuration, {"study": study})]


def _records(others: Iterable[OnPair]) -> list[str]:
    return [f"{other.folder}/{name}" for other in others for name in ("decode.json", RECORD)]
