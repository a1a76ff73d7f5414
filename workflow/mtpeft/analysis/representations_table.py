"""Representations of the cells of a study: one row per cell and layer, and which records of them hold.

`representations.csv` has a header and these columns:

- `model`, `pair`, `size`, `method`, `budget`, `seed`: labels of the cell.
- `status`: `ok`, `diverged` or `missing`; a cell that is not `ok` has one row, and nothing in the columns that follow.
- `step_zero`: 1 where no checkpoint was better on dev than the model before the first update.
- `side`: `encoder` or `decoder`; `layer`: its number, from 1; `tokens`: of the dev set on that side.
- `effective_rank`: exp of the entropy of the singular values of these tokens' hidden states, as shares of their sum.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from mtpeft.analysis.collect import MISSING, csv_text
from mtpeft.cells import DIMENSIONS, Cell
from mtpeft.core.files import read_record, write_text

RECORD = "representations.json"
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
