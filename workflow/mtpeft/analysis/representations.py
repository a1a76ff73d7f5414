"""The table of representations of a study: one row per cell and layer. Write it, read it, and average over seeds.

`representations.csv` has a header and these columns:

- `model`, `pair`, `size`, `method`, `budget`, `seed`: labels of the cell.
- `status`: `ok`, `diverged` or `missing`; a cell that is not `ok` has one row, and nothing in the columns that follow.
- `step_zero`: 1 where no checkpoint was better on dev than the model before the first update.
- `side`: `encoder` or `decoder`; `layer`: its number, from 1; `tokens`: of the dev set on that side.
- `effective_rank`: exp of the entropy of the singular values of these tokens' hidden states, as shares of their sum.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.analysis.csv_files import Interval, csv_text, rows_of
from mtpeft.analysis.read_tables import Setting
from mtpeft.analysis.score_tables import DIVERGED, MISSING
from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.core.files import read_record, write_text

RECORD = "representations.json"
SIDES = ("encoder", "decoder")
COLUMNS = (*DIMENSIONS, "status", "step_zero", "side", "layer", "tokens", "effective_rank")


def write_representations(cells: Iterable[Cell], *, output: Path, missing: Collection[Cell] = ()) -> None:
    """Write the table, in the order of the labels.

    Args:
        cells: whose representations are shown.
        output: where the table goes.
        missing: those of them without a record.

    Raises:
        FileNotFoundError: a cell that is not said to be missing has no record.
    """
    rows = [row for cell in sorted(set(cells)) for row in _rows(cell, is_missing=cell in missing)]
    write_text(output, csv_text(COLUMNS, rows))


def _rows(cell: Cell, *, is_missing: bool) -> Iterator[dict[str, Any]]:
    labels = dict(zip(DIMENSIONS, cell.labels, strict=True))
    if is_missing:
        yield labels | {"status": MISSING}
        return
    record, train = read_record(cell.folder / RECORD), read_record(cell.folder / "train.json")
    labels |= {"status": record["status"]}
    if record["status"] != "ok":
        yield labels
    for side, ranks in record["effective_rank"].items():
        for layer, rank in enumerate(ranks, 1):
            yield labels | {
                "step_zero": int(train["best_step"] == 0),
                "side": side,
                "layer": layer,
                "tokens": record["tokens"][side],
                "effective_rank": rank,
            }


@dataclass(frozen=True)
class CellRanks:
    """A cell with the effective rank of each layer by side, from the first layer to the last; none without `ok`."""

    setting: Setting
    method: str
    budget: str
    seed: str
    status: str
    step_zero: bool
    ranks: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class LayerLine:
    """The seeds of a system: by side the mean rank of each layer, with the lowest and the highest seed.

    A decoder-only model has one side alone.
    """

    method: str
    budget: str
    step_zero: int
    diverged: int
    missing: int
    ranks: Mapping[str, Sequence[Interval]]


def read_ranks(path: Path) -> tuple[CellRanks, ...]:
    """Cells of a `representations.csv`, sorted by their labels.

    Raises:
        UserError: a column is missing, or a field holds no number where there should be one.
    """
    ranks: dict[tuple[str, ...], dict[str, dict[int, float]]] = {}
    states: dict[tuple[str, ...], tuple[str, bool]] = {}
    for row in rows_of(path, (*DIMENSIONS, "status", "side", "layer", "effective_rank")):
        labels = tuple(row.text(name) for name in DIMENSIONS)
        states[labels] = (row.text("status"), bool(row.optional("step_zero", int)))
        own = ranks.setdefault(labels, {})
        if side := row.text("side"):
            own.setdefault(side, {})[row.number("layer", int)] = row.number("effective_rank")
    return tuple(
        CellRanks(
            Setting(model, pair, size, ""),
            method,
            budget,
            seed,
            *states[model, pair, size, method, budget, seed],
            ranks={side: [layers[number] for number in sorted(layers)] for side, layers in own.items()},
        )
        for (model, pair, size, method, budget, seed), own in sorted(ranks.items())
    )


def layer_lines(cells: Iterable[CellRanks]) -> list[LayerLine]:
    """One line per method and budget, in the order of their labels."""
    systems: dict[tuple[str, str], list[CellRanks]] = {}
    for cell in cells:
        systems.setdefault((cell.method, cell.budget), []).append(cell)
    return [_line(own) for _, own in sorted(systems.items())]


def _line(cells: Sequence[CellRanks]) -> LayerLine:
    measured = [cell.ranks for cell in cells if cell.ranks]
    return LayerLine(
        method=cells[0].method,
        budget=cells[0].budget,
        step_zero=sum(cell.step_zero for cell in cells),
        diverged=sum(cell.status == DIVERGED for cell in cells),
        missing=sum(cell.status == MISSING for cell in cells),
        ranks={
            side: [_spread(layer) for layer in zip(*(ranks[side] for ranks in measured), strict=True)]
            for side in SIDES
            if measured and all(side in ranks for ranks in measured)
        },
    )


def _spread(seeds: Sequence[float]) -> Interval:
    return Interval(sum(seeds) / len(seeds), min(seeds), max(seeds))
