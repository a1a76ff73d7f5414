"""Choose the rows that a training size has."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines, sha256_of, write_record
from mtpeft.core.records import SimilarityRecord
from mtpeft.data import tsv
from mtpeft.data.similarity import max_dice
from mtpeft.data.split import SIDES


def choose_subset(settings: Mapping[str, Any], *, train: Path, output: Path, record: Path) -> None:
    """Write the indices of ``pairs`` rows of train.tsv, from 0, one per line in the order in which they are drawn; of
    all rows where there are fewer and ``at_most`` is set. The record has the number of rows and the file's checksum.

    Of one draw, a smaller size is the beginning of every larger one. A ``seed`` draws by the hashes of the rows' ids
    together with it, so that a row that comes or goes elsewhere in the text moves no other, and so that pairs of one
    corpus get the same sentences. Without a seed the rows are the first ones, which stand in the order of the hashes of
    their ids.

    Raises:
        UserError: there are too few rows.
    """
    rows = tsv.read_pairs(train)
    available = len(rows)
    wanted = min(settings["pairs"], available) if settings.get("at_most") else settings["pairs"]
    if not 0 < wanted <= available:
        raise UserError(
            f"sizes.*.pairs asks for {settings['pairs']} pairs, but {train} has {available}: write a size of at most "
            f"{available}, or raise split.train or name more text in corpora."
        )
    drawn = list(range(available))
    if "seed" in settings:
        drawn.sort(key=lambda index: _drawn_at(rows[index].id, settings["seed"]))
    files.write_lines(output, map(str, drawn[:wanted]))
    made = {output.name: files.sha256_of(output)}
    content = {"settings": dict(settings), "inputs": {"train": files.sha256_of(train)}, "rows": wanted, "made": made}
    files.write_record(record, content)


def _drawn_at(key: str, seed: int) -> str:
    """Sort key of an id in the draw of a seed."""
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()


DECIMALS = 3


def measure_similarity(
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
