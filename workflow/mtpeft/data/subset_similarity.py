"""How much the sentences of a test set resemble what cells have read: the subset of a size in the draw of a seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.core.files import read_lines, sha256_of, write_record
from mtpeft.core.records import SimilarityRecord
from mtpeft.data import tsv
from mtpeft.data.similarity import max_dice
from mtpeft.data.split import SIDES

DECIMALS = 3


def measure_similarities(
    settings: Mapping[str, Any], *, train: Path, test: Path, subsets: Sequence[Path], record: Path
) -> None:
    """Write the greatest similarity of each test sentence to a sentence of each subset, over both sides.

    Args:
        settings: `pair`, its label.
        train: text of which the subsets name rows.
        test: the test set.
        subsets: numbers of rows, one per line.
        record: where the similarities go.
    """
    rows, sentences = tsv.read_pairs(train), tsv.read_pairs(test)
    found = {}
    for subset in subsets:
        read = [rows[int(line)] for line in read_lines(subset)]
        sides = [
            max_dice([getattr(row, side) for row in sentences], [getattr(row, side) for row in read]) for side in SIDES
        ]
        found[sha256_of(subset)] = [round(float(value), DECIMALS) for value in np.maximum(*sides)]
    write_record(record, SimilarityRecord(pair=settings["pair"], settings=dict(settings), subsets=found).model_dump())
