"""The section `sizes`: amounts of fine-tuning data, and which sentence pairs a cell draws."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from mtpeft.cells import ANY, FIXED, Cell
from mtpeft.core.section import Section

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration

BY_SEED = "by_seed"


class Size(Section):
    """A number of sentence pairs for fine-tuning, and the updates that are spent on them."""

    pairs: PositiveInt = Field(description="Sentence pairs; of one draw, smaller sizes are subsets of larger ones.")
    updates: PositiveInt = Field(description="Optimiser steps.")
    draws: Literal["by_seed", "fixed"] = Field(
        default="by_seed",
        description="Whether each seed draws its own sentence pairs, so that intervals are about more than one draw, "
        "or all seeds share one fixed draw.",
    )


def draw_of(configuration: "Configuration", cell: Cell) -> str:
    """Return the label of the draw that a cell is trained on: its seed, or the fixed one.

    A reference row without a seed (`retrieval`) has the fixed draw.
    """
    by_seed = configuration.sizes[cell.size].draws == BY_SEED and cell.seed != ANY
    return cell.seed if by_seed else FIXED
