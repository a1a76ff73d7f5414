"""From what stands in paths to labels of the catalogues, and back: names of folders and files bear a digest besides."""

import re

from mtpeft.cells import ANY, CELLS_FOLDER, DIMENSIONS, OTHERS_FOLDER, Cell, OnPair, label_of, members_of
from mtpeft.config import folders
from mtpeft.config.paths import cell_of
from mtpeft.config.schema import Configuration
from mtpeft.config.wildcards import Wildcards
from mtpeft.core.errors import UserError
from mtpeft.data.sources import SOURCES


def labels_in(configuration: Configuration, wildcards: Wildcards) -> dict[str, str]:
    """The wildcards as labels of the catalogues, without the digests that are in the names of folders.

    Raises:
        UserError: they name the folder of a cell that is of another configuration.
    """
    labels = {name: _label(configuration, name, value) for name, value in wildcards.items()}
    if "seed" in labels and labels["seed"] != wildcards["seed"]:
        cell = folders.placed(configuration, cell_of(labels))
        own = OnPair(cell, labels["other"]) if "other" in labels else cell
        asked = CELLS_FOLDER / "/".join(wildcards[name] for name in DIMENSIONS)
        asked = asked / OTHERS_FOLDER / wildcards["other"] if "other" in labels else asked
        if own.folder != asked and labels.get("other") != cell.pair:
            raise UserError(
                f"{asked} belongs to a study for which its labels stand for something else than for this one; write "
                f"{own.folder}."
            )
    return labels


def with_digests(configuration: Configuration, target: str) -> str:
    """What is to be made, where a user writes the labels of a cell or of a pair without their digests: labels of a cell
    alone stand for its score.
    """
    cell = re.fullmatch(rf"(?:{CELLS_FOLDER}/)?((?:[^/]+/){{5}}(?:\d+|{ANY}))(/.+)?", target)
    if cell:
        folder = folders.placed(configuration, Cell.parse(cell[1])).folder
        return f"{folder}{cell[2] or '/score.json'}"
    pair = re.fullmatch(r"data/pairs/([^/]+)/(.+)", target)
    if pair and pair[1] in configuration.pairs:
        return f"{folders.pair_folder(configuration, pair[1])}/{pair[2]}"
    return target


def _label(configuration: Configuration, wildcard: str, value: str) -> str:
    """The label in the value of a wildcard; a known label is one, even if it looks as if it ended with a digest."""
    match wildcard:
        case "pair" | "other":
            bare = set(members_of(value)) <= configuration.pairs.keys()
        case "model" | "size" | "budget" | "corpus":
            name = {"corpus": "corpora"}.get(wildcard, f"{wildcard}s")
            bare = value in getattr(configuration, name)
        case _:
            downloads = [source.wildcard for source in SOURCES.entries.values()]
            bare = wildcard not in ("seed", "vocabulary", *downloads)
    return value if bare else label_of(value)
