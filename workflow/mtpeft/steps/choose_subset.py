"""Choose the rows of a training size: `data/pairs/<pair>-<digest>/subsets/<draw>/<size>-<digest>.txt`.

Smaller sizes of one draw are subsets of larger ones. In `subsets_at_most/` a pair of a group gives all that it has
where that is less.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.cells import FIXED, Cell, digest_of, name_of
from mtpeft.config import sizes
from mtpeft.steps.decontaminate_pair import pair_folder
from mtpeft.steps.step import Inputs, Params, Step

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


def params(configuration: "Configuration", pair: str, draw: str, size: str) -> Params:
    """Params of a nested subset of any pair, given its draw: a seed, or the fixed one."""
    seed = {} if draw == FIXED else {"seed": int(draw)}
    return {"pairs": configuration.sizes[size].pairs, **seed}


def params_at_most(configuration: "Configuration", pair: str, draw: str, size: str) -> Params:
    """Params of the subset of a pair of a group, which gives all that it has where that is less."""
    return params(configuration, pair, draw, size) | {"at_most": True}


def size_name(configuration: "Configuration", size: str, *, at_most: bool = False) -> str:
    """Label of a size with the digest of how a subset of it is chosen, but for the draw, which has its own folder."""
    return name_of(size, digest_of((params_at_most if at_most else params)(configuration, "", FIXED, size)))


def subset_file(configuration: "Configuration", cell: Cell, pair: str) -> str:
    """The rows of a pair that a cell is trained on."""
    kind, size = "subsets_at_most" if cell.is_group else "subsets", cell.size
    name = size_name(configuration, size, at_most=cell.is_group)
    return f"{pair_folder(configuration, pair)}/{kind}/{sizes.draw_of(configuration, cell)}/{name}.txt"


def inputs(configuration: "Configuration", pair: str, draw: str, size: str) -> Inputs:
    """The training text of the pair."""
    return {"train": f"{pair_folder(configuration, pair)}/train.tsv"}


def run(params: Params, *, train: Path, output: Path, record: Path) -> None:
    """Choose a nested subset of a pair's training text."""
    from mtpeft.data.subsets import choose_subset

    choose_subset(params, train=train, output=output, record=record)


STEP = Step(
    "choose_subset",
    1,
    ("pair", "draw", "size"),
    params,
    run,
    inputs,
    makes=("output", "record"),
    record="data/pairs/{pair}/subsets/{draw}/{size}.json",
)
AT_MOST = replace(
    STEP,
    name="choose_subset_at_most",
    params=params_at_most,
    record="data/pairs/{pair}/subsets_at_most/{draw}/{size}.json",
)
