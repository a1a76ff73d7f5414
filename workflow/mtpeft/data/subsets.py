"""Subsets of the training text, one for each training size and draw, and how much the test set resembles them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.records import SimilarityRecord
from mtpeft.data import tsv
from mtpeft.data.similarity import max_dice
from mtpeft.data.split import SIDES

DECIMALS = 3
"""Decimals of a similarity in the record."""


def choose_subset(params: Mapping[str, Any], *, train: Path, output: Path, record: Path) -> None:
    """Write the indices of a subset of the training rows, from 0, one per line in the order in which they are drawn.

    Subsets of one draw are nested: a smaller size is the beginning of every larger one. A ``seed`` draws by the hashes
    of the rows' ids and the seed, so that a row that comes or goes elsewhere in the text moves no other, and so that
    pairs of one corpus get the same sentences. Without a seed the first rows are drawn, which are in the order of the
    hashes of their ids.

    Args:
        params: `pairs`, the number of rows; `seed`, if the draw has one; and `at_most`, if all rows are taken where
            there are fewer.
        train: training text of a pair.
        output: where the indices go.
        record: where the record goes, with the number of rows and the checksum of the indices.

    Raises:
        UserError: there are too few rows.
    """
    rows = tsv.read_pairs(train)
    available = len(rows)
    wanted = min(params["pairs"], available) if params.get("at_most") else params["pairs"]
    if not 0 < wanted <= available:
        raise UserError(
            f"sizes.*.pairs asks for {params['pairs']} pairs, but {train} has {available}: write a size of at most "
            f"{available}, or raise split.train or name more text in corpora."
        )
    drawn = list(range(available))
    if "seed" in params:
        drawn.sort(key=lambda index: _drawn_at(rows[index].id, params["seed"]))
    files.write_lines(output, map(str, drawn[:wanted]))
    made = {output.name: files.sha256_of(output)}
    content = {"params": dict(params), "inputs": {"train": files.sha256_of(train)}, "rows": wanted, "made": made}
    files.write_record(record, content)


def _drawn_at(key: str, seed: int) -> str:
    """Compute the sort key of an id in the draw of a seed."""
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()


def measure_similarity(
    params: Mapping[str, Any], *, train: Path, test: Path, subsets: Sequence[Path], record: Path
) -> None:
    """Write the greatest similarity of each test sentence to the sentences of each subset, over both sides.

    Args:
        params: `pair`, its label.
        train: training text, of which the subsets name rows.
        test: test set.
        subsets: indices of rows, one per line.
        record: where the similarities go.
    """
    rows, sentences = tsv.read_pairs(train), tsv.read_pairs(test)
    found = {}
    for subset in subsets:
        read = [rows[int(line)] for line in files.read_lines(subset)]
        sides = [
            max_dice([getattr(row, side) for row in sentences], [getattr(row, side) for row in read]) for side in SIDES
        ]
        found[files.sha256_of(subset)] = [round(float(value), DECIMALS) for value in np.maximum(*sides)]
    files.write_record(record, SimilarityRecord(pair=params["pair"], params=dict(params), subsets=found).model_dump())
