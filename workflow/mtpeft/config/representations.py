"""Which cells have the rank of their representations measured, from what, and where that is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mtpeft.cells import ANY, JOIN, Cell
from mtpeft.config.folders import tables_folder, tokens_folder
from mtpeft.config.paths import cell_files, cell_of
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import NONE, drawn_cells
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.errors import UserError

FIGURE = "representations"
"""The figure that is drawn from these measurements; no other study pays for them."""
RECORD = "representations.json"
RETRIEVAL = "retrieval"


def represented_in(configuration: Configuration, label: str) -> Sequence[Cell]:
    """Cells of a study whose representations it shows, none where it draws something else."""
    study = configuration.studies.get(label)
    shown = study is not None and (study.figure or label) == FIGURE
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


def representation_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    """A study of representations names what has some, and the untouched model to compare with."""
    study = configuration.studies[label]
    if (study.figure or label) != FIGURE:
        return
    key = f"studies.{label}.methods"
    named = {method for block in study.blocks for method in block.methods}
    yield from _without_model(configuration, key, named)
    for pair in dict.fromkeys(pair for block in study.blocks for pair in block.pairs if JOIN in pair):
        yield (
            f"'studies.{label}.pairs' has the group '{pair}', but representations are measured on the pair of a cell; "
            "take it out."
        )
    if NONE not in named:
        yield f"'{key}' lacks '{NONE}', the untouched model, which the figure compares with; add it."


def _without_model(configuration: Configuration, key: str, named: Iterable[str]) -> Iterator[str]:
    for method in sorted(set(named) & set(configuration.methods)):
        if configuration.methods[method].method == RETRIEVAL:
            yield f"'{key}' names '{method}', which has no model and so no representations; take it out."
