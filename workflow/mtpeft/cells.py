"""A cell is one fine-tuning run; its six labels are its identity, its folder and its row in the tables."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from mtpeft.errors import UserError

ANY = "any"
"""Label of a dimension that means nothing for a reference row."""
ALL = "all"
"""Budget label of methods that train every parameter."""
NATIVE = "native"
"""Budget label of methods whose size is a point."""
RESERVED = (ANY, ALL, NATIVE)
FIXED = "fixed"
"""Label of the draw of sentence pairs that all seeds share: the first rows of the training text."""

LABEL_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
CELLS_FOLDER = Path("results/cells")
JOIN = "+"
"""Joins labels of pairs to that of a group, which one cell trains on. No pair of the catalogue has it in its label, so
that a label means the same wherever it is read, with the configuration or without.
"""
OTHERS_FOLDER = "others"
"""Where a cell keeps what belongs to the test sets of other pairs than its own, and a group to those of its members."""


def members_of(label: str) -> tuple[str, ...]:
    """Labels of the pairs that a label stands for: those of a group in their order, or the one."""
    return tuple(label.split(JOIN))


@dataclass(frozen=True, order=True)
class Cell:
    """Labels of one run, in the order of the folders: never numbers or settings, which live in the catalogues."""

    model: str
    pair: str
    size: str
    method: str
    budget: str
    seed: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The six labels. `dataclasses.astuple` would copy each of them, ten times as slow."""
        return self.model, self.pair, self.size, self.method, self.budget, self.seed

    @property
    def path(self) -> str:
        """The six labels joined with slashes."""
        return "/".join(self.labels)

    @property
    def folder(self) -> Path:
        """Where the cell's files lie, relative to the working directory."""
        return CELLS_FOLDER / self.path

    @property
    def members(self) -> tuple[str, ...]:
        """Labels of the pairs that the cell is trained on: several for a group."""
        return members_of(self.pair)

    @property
    def is_group(self) -> bool:
        """Whether the cell is trained on several pairs."""
        return len(self.members) > 1

    @property
    def on_own(self) -> "OnPair":
        """The cell on the test sets of its own pair, or of all pairs of its group together."""
        return OnPair(self, self.pair)

    @property
    def measured(self) -> "tuple[OnPair, ...]":
        """The cell on the test sets of each pair that it is trained on."""
        return tuple(OnPair(self, member) for member in self.members)

    @classmethod
    def parse(cls, path: str) -> Self:
        """The cell named by six labels joined with slashes, or by any path that holds its folder.

        Raises:
            UserError: the text does not hold six safe labels.
        """
        text = path.split(f"{CELLS_FOLDER}/", 1)[-1].strip("/")
        labels = text.split("/")[:6]
        if len(labels) != 6 or not all(re.fullmatch(LABEL_PATTERN, label) for label in labels):
            raise UserError(
                f"'{path}' names no cell; write its six labels as model/pair/size/method/budget/seed, "
                "or the folder under results/cells that holds its files."
            )
        return cls(*labels)


class OnPair(NamedTuple):
    """A cell on the test sets of a pair: its own, one of its group, or another that its base model could translate."""

    cell: Cell
    pair: str

    @property
    def folder(self) -> Path:
        """Where the hypotheses and their records lie."""
        return self.cell.folder if self.pair == self.cell.pair else self.cell.folder / OTHERS_FOLDER / self.pair


DIMENSIONS = ("model", "pair", "size", "method", "budget", "seed")
LABELS_TEMPLATE = "/".join(f"{{{dimension}}}" for dimension in DIMENSIONS)
CELL_TEMPLATE = f"{CELLS_FOLDER}/{LABELS_TEMPLATE}"
"""Path template with one wildcard per label."""
OTHER_TEMPLATE = f"{CELL_TEMPLATE}/{OTHERS_FOLDER}/{{other}}"
"""The same for a cell on the test sets of another pair than its own."""
