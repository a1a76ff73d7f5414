"""Which cells have the rank of their representations measured, from what, and where that is written."""

from collections.abc import Mapping, Sequence

from mtpeft.cells import ANY, Cell
from mtpeft.config.folders import tables_folder, tokens_folder
from mtpeft.config.paths import cell_files, cell_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import REPRESENTATIONS, drawn_cells
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.errors import UserError

RECORD = "representations.json"


def represented_in(configuration: Configuration, label: str) -> Sequence[Cell]:
    """Cells of a study whose representations it shows, none where it draws something else."""
    study = configuration.studies.get(label)
    shown = study is not None and (study.figure or label) == REPRESENTATIONS
    return drawn_cells(configuration, label) if shown else ()


def all_represented(configuration: Configuration) -> list[Cell]:
    """Cells of all studies whose representations are shown, each once."""
    return list(dict.fromkeys(cell for label in configuration.studies for cell in represented_in(configuration, label)))


def all_representations(configuration: Configuration) -> list[str]:
    """Records of all of them, and the tables."""
    return [*cell_files(all_represented(configuration), RECORD), *study_tables(configuration)]


def study_tables(configuration: Configuration) -> list[str]:
    """Tables of all studies that show representations."""
    return [table for label in configuration.studies for table in table_of(configuration, {"study": label})]


def study_representations(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Records of the study in the wildcards."""
    return cell_files(represented_in(configuration, wildcards["study"]), RECORD)


def table_of(configuration: Configuration, wildcards: Wildcards) -> list[str]:
    """Table of a study, if it shows representations."""
    study = wildcards["study"]
    table = tables_folder(configuration, study) / "representations.csv"
    return [str(table)] if represented_in(configuration, study) else []


def represent_inputs(configuration: Configuration, wildcards: Wildcards) -> Mapping[str, str]:
    """What a cell is measured on besides its own files, by the name of the option that takes it.

    Raises:
        UserError: it has no model.
    """
    cell = cell_of(wildcards)
    if cell.model == ANY:
        raise UserError(f"The cell {cell.path} has no model, so it has no representations; name one that has.")
    return {"dev": dev_arrays(configuration, cell)}


def dev_arrays(configuration: Configuration, cell: Cell) -> str:
    """Token arrays of the dev set of a cell's pair."""
    return f"{tokens_folder(configuration, cell.model, cell.pair)}/dev.safetensors"
