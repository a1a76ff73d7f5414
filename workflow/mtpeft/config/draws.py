"""Which sentence pairs a cell is trained on: each seed draws its own, or all seeds share one fixed draw."""

from mtpeft.cells import ANY, FIXED, Cell
from mtpeft.config.schema import Configuration

BY_SEED = "by_seed"


def draw_of(configuration: Configuration, cell: Cell) -> str:
    """Label of the draw that a cell is trained on: its seed, or the fixed one.

    A reference row without a seed (`retrieval`) has the fixed draw.
    """
    by_seed = configuration.sizes[cell.size].draws == BY_SEED and cell.seed != ANY
    return cell.seed if by_seed else FIXED
