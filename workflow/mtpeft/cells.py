"""A cell is one fine-tuning run; its six labels are its identity and its row in the tables.

Its folder bears these labels and a digest of what they stand for: two studies may have the same labels for different
text, models or params, and each finds its own results beside those of the other.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from mtpeft.core.errors import UserError

ANY = "any"
"""Label of a dimension that means nothing for a reference row."""
ALL = "all"
"""Budget label of methods that train every parameter."""
NATIVE = "native"
"""Budget label of methods of one size."""
RESERVED = (ANY, ALL, NATIVE)
FIXED = "fixed"
"""Label of the draw of sentence pairs that all seeds share: the first rows of the training text."""

LABEL_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
LONGEST_LABEL = 64
"""Characters of a label; folders and files are named by up to three of them, and by a digest."""
CELLS_FOLDER = Path("results/cells")
DIGEST_DIGITS = 8
DIGEST_PATTERN = rf"-[0-9a-f]{{{DIGEST_DIGITS}}}"
"""The end of the name of a folder or file that has a digest after its label."""
JOIN = "+"
"""Joins labels of pairs to that of a group, which one cell trains on. No pair of the catalogue has it in its label, so
that a label means the same wherever it is read, with the configuration or without.
"""
EXPERTS_FOLDER = "experts"
"""Subfolder of a cell for its feed-forward blocks as experts, and for what is decoded with them."""
OTHERS_FOLDER = "others"
"""Subfolder of a cell for results on other pairs than its own, and of a group for results on each of its pairs."""


VERSION = "step_version"
"""Key of a step's version in its params."""


def digest_of(params: Mapping[str, Any], *upstream: Any) -> str:
    """Short digest of what something is made from: params without the version of their step, and other digests."""
    made_from = [{key: value for key, value in params.items() if key != VERSION}, *upstream]
    text = json.dumps(made_from, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def name_of(label: str, digest: str) -> str:
    """The name of a folder or file: a label with the digest of what it stands for, if that is known."""
    return f"{label}-{digest}" if digest else label


def unsafe_label(key: str, label: str) -> str:
    """Say that a label, which does not match `LABEL_PATTERN`, can't be in a path."""
    return (
        f"'{key}' has the label {label!r}, which is unsafe in a path; "
        "use letters, digits, dot, dash, plus and underscore, and begin with a letter or a digit."
    )


def label_of(name: str) -> str:
    """The label in the name of a folder or file."""
    return re.sub(rf"{DIGEST_PATTERN}$", "", name)


def members_of(label: str) -> tuple[str, ...]:
    """Labels of the pairs that a label stands for: those of a group in their order, or the one."""
    return tuple(label.split(JOIN))


@dataclass(frozen=True, order=True)
class Cell:
    """Labels of one run, in the order of the folders; the numbers and options that they stand for are in catalogues.

    Attributes:
        digest: of what the labels stand for in a configuration, by which the folder is told from that of a cell of
            another study with the same labels; empty for a cell that belongs to no configuration.
        elsewhere: digests of the text of other pairs that the configuration scores its cells on, by pair.
        scored_with: digests of how metrics that have a step of their own score it, by metric.
    """

    model: str
    pair: str
    size: str
    method: str
    budget: str
    seed: str
    digest: str = field(default="", compare=False, repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    scored_with: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The six labels. `dataclasses.astuple` would copy each of them, ten times as slow."""
        return self.model, self.pair, self.size, self.method, self.budget, self.seed

    @property
    def named(self) -> dict[str, str]:
        """The six labels by name, as records have them."""
        return dict(zip(DIMENSIONS, self.labels, strict=True))

    @property
    def path(self) -> str:
        """The six labels joined with slashes."""
        return "/".join(self.labels)

    @property
    def folder(self) -> Path:
        """Folder of the cell's files, relative to the working directory."""
        return CELLS_FOLDER / name_of(self.path, self.digest)

    @property
    def members(self) -> tuple[str, ...]:
        """Labels of the pairs that the cell is trained on: several for a group."""
        return members_of(self.pair)

    @property
    def is_group(self) -> bool:
        """Whether the cell is trained on several pairs."""
        return len(self.members) > 1

    def elsewhere_of(self, pair: str) -> str:
        """Digest of the text of a pair that the cell is not trained on, empty for one that it is."""
        return "" if pair in self.members else self.elsewhere.get(pair, "")

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
        seed = label_of(labels[-1])
        return cls(*labels[:-1], seed, digest=labels[-1][len(seed) + 1 :])

    @classmethod
    def find(cls, path: str) -> Self:
        """The trained cell that is named by its labels alone, or by its folder.

        Raises:
            UserError: the text names no cell, or several folders have these labels.
        """
        cell = cls.parse(path)
        if cell.digest or cell.folder.exists():
            return cell
        folders = [folder for folder in sorted(cell.folder.parent.glob(f"{cell.seed}-*")) if _is_of(folder, cell.seed)]
        if len(folders) > 1:
            named = ", ".join(map(str, folders))
            raise UserError(f"Several studies have a cell {cell.path}; write one of its folders: {named}.")
        return cls.parse(str(folders[0])) if folders else cell


def _is_of(folder: Path, seed: str) -> bool:
    return re.fullmatch(re.escape(seed) + DIGEST_PATTERN, folder.name) is not None


class OnPair(NamedTuple):
    """A cell on the test sets of a pair: its own, one of its group, or another that its base model could translate."""

    cell: Cell
    pair: str

    @property
    def folder(self) -> Path:
        """Folder of the hypotheses and their records; the cell's digest identifies the pairs of a group."""
        if self.pair == self.cell.pair:
            return self.cell.folder
        return self.cell.folder / OTHERS_FOLDER / name_of(self.pair, self.cell.elsewhere_of(self.pair))

    def metric_record(self, metric: str) -> Path:
        """Record of a metric that has a step of its own; its digest depends on the metric's model and params."""
        return self.folder / f"{name_of(metric, self.cell.scored_with.get(metric, ''))}.json"


class Served(NamedTuple):
    """A cell on the test sets of its pair, decoded with some of the experts of its feed-forward blocks.

    Attributes:
        cell: whose model it is.
        experts: name of the split, with a digest of how it is made.
        active: number of experts that each token has.
    """

    cell: Cell
    experts: str
    active: int

    @property
    def split(self) -> Path:
        """Folder of the experts, which all numbers of active ones share."""
        return self.cell.folder / EXPERTS_FOLDER / self.experts

    @property
    def folder(self) -> Path:
        """Folder of the hypotheses and their records."""
        return self.split / str(self.active)


DIMENSIONS = ("model", "pair", "size", "method", "budget", "seed")
RATE_LABELS = ("model", "size", "method", "budget")
"""A learning rate is chosen once for all cells that share these labels."""
LABELS_TEMPLATE = "/".join(f"{{{dimension}}}" for dimension in DIMENSIONS)
CELL_TEMPLATE = f"{CELLS_FOLDER}/{LABELS_TEMPLATE}"
"""Path template with one wildcard per label."""
OTHER_TEMPLATE = f"{CELL_TEMPLATE}/{OTHERS_FOLDER}/{{other}}"
"""The same for a cell on the test sets of another pair than its own."""
EXPERTS_TEMPLATE = f"{CELL_TEMPLATE}/{EXPERTS_FOLDER}/{{experts}}"
"""The same for the experts of a cell's feed-forward blocks."""
SERVED_TEMPLATE = f"{EXPERTS_TEMPLATE}/{{active}}"
"""The same for a cell that is decoded with some of its experts."""


CellBlock = Sequence[Sequence[str]]
NOWHERE: Mapping[str, str] = MappingProxyType({})


def cell_blocks(cells: Iterable[Cell]) -> list[CellBlock]:
    """Blocks of six lists of labels whose products are these cells: blocks that differ in one dimension are merged.

    Where the cells have digests, each block ends with those of its cells, in their order and written as one text.
    """
    digests = {cell.labels: cell.digest for cell in cells}
    blocks: list[CellBlock] = [tuple((label,) for label in labels) for labels in sorted(digests)]
    for dimension in reversed(range(len(DIMENSIONS))):
        merged: dict[tuple[object, ...], list[str]] = {}
        for block in blocks:
            rest = (*block[:dimension], *block[dimension + 1 :])
            merged.setdefault(rest, []).extend(block[dimension])
        blocks = [(*rest[:dimension], tuple(labels), *rest[dimension:]) for rest, labels in merged.items()]
    told = (("".join(digests[labels] for labels in product(*block)), block) for block in blocks)
    return [(*block, digest) if digest else block for digest, block in told]


def unfold(
    blocks: Sequence[CellBlock], *, elsewhere: Mapping[str, str] = NOWHERE, scored_with: Mapping[str, str] = NOWHERE
) -> list[Cell]:
    """The cells of blocks, with digests that all of them share: of other pairs, and of metrics with their own step."""
    return [cell for block in blocks for cell in _cells_of(block, elsewhere, scored_with)]


def cells_as_params(cells: Iterable[Cell]) -> dict[str, Any]:
    """Params for the cells that a step reads: their blocks, and digests of metrics with a step of their own."""
    found = list(cells)
    scored_with = dict(found[0].scored_with) if found else {}
    return {"cells": cell_blocks(found)} | ({"scored_with": scored_with} if scored_with else {})


def cells_in_params(params: Mapping[str, Any]) -> list[Cell]:
    """The cells in the params of a step."""
    return unfold(params["cells"], scored_with=params.get("scored_with", NOWHERE))


def _cells_of(block: CellBlock, elsewhere: Mapping[str, str], scored_with: Mapping[str, str]) -> Iterator[Cell]:
    *lists, digests = block if len(block) > len(DIMENSIONS) else (*block, "")
    for place, labels in enumerate(product(*lists)):
        start = place * DIGEST_DIGITS
        digest = "".join(digests[start : start + DIGEST_DIGITS])
        yield Cell(*labels, digest=digest, elsewhere=elsewhere, scored_with=scored_with)
