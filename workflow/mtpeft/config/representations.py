"""Which cells have the rank of their representations measured."""

from collections.abc import Sequence

from mtpeft.cells import Cell
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import REPRESENTATIONS, drawn_cells


def represented_in(configuration: Configuration, label: str) -> Sequence[Cell]:
    """Cells of a study whose representations it shows, none where it draws something else."""
    study = configuration.studies.get(label)
    shown = study is not None and (study.figure or label) == REPRESENTATIONS
    return drawn_cells(configuration, label) if shown else ()
