"""The cells of one setting with what was measured on each test sentence, read from their records."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mtpeft.analysis.systems import OK
from mtpeft.cells import ANY
from mtpeft.core.errors import DamagedError
from mtpeft.core.files import read_record
from mtpeft.front.page.gather import ScoredCell

SettingKey = tuple[str, str, str, str]
"""Model, scored pair, size and test set; `any` as model or size holds in every setting."""
CACHED = 64
"""Reference rows that are kept in memory, since every setting of their pair needs them again."""


@dataclass(frozen=True)
class MeasuredCell:
    """A cell with a score.

    Attributes:
        cell: with its rows of the tables.
        train: record of its training.
        statistics: by metric, of each sentence: shape [sentences, statistics].
    """

    cell: ScoredCell
    train: Mapping[str, Any]
    statistics: Mapping[str, np.ndarray]


def setting_of(cell: ScoredCell) -> SettingKey:
    """The setting of a cell."""
    own = cell.on.cell
    return own.model, cell.on.pair, own.size, cell.test_set


def settings(cells: Iterable[ScoredCell]) -> dict[SettingKey, list[ScoredCell]]:
    """Cells with a score by setting; reference rows stand in every setting in which they hold, and in their own."""
    scored = [cell for cell in cells if cell.status == OK]
    found: dict[SettingKey, list[ScoredCell]] = {}
    for cell in scored:
        found.setdefault(setting_of(cell), []).append(cell)
    shared = [cell for cell in scored if ANY in (cell.on.cell.model, cell.on.cell.size)]
    for key, own in found.items():
        own += [cell for cell in shared if cell not in own and holds_in(setting_of(cell), key)]
    return found


def holds_in(own: SettingKey, wanted: SettingKey) -> bool:
    """Whether what was measured in a setting holds in another one."""
    return own[0] in (ANY, wanted[0]) and own[2] in (ANY, wanted[2]) and own[1::2] == wanted[1::2]


def read_cells(cells: Sequence[ScoredCell], metrics: Sequence[str]) -> Iterator[MeasuredCell]:
    """Cells with their statistics; one whose records are gone or damaged is left out."""
    for cell in cells:
        is_shared = ANY in (cell.on.cell.model, cell.on.cell.size)
        try:
            yield (_kept if is_shared else _read)(cell, tuple(metrics))
        except (FileNotFoundError, DamagedError, KeyError):
            continue


def _read(cell: ScoredCell, metrics: tuple[str, ...]) -> MeasuredCell:
    train, score = read_record(cell.on.cell.folder / "train.json"), read_record(cell.on.folder / "score.json")
    own = score["test_sets"][cell.test_set]
    statistics = {name: np.array(own[name]["statistics"], dtype=float) for name in metrics if name in own}
    return MeasuredCell(cell, train, statistics)


_kept = lru_cache(maxsize=CACHED)(_read)
