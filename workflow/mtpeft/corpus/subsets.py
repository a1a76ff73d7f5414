"""Choose the rows that a training size has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft import records
from mtpeft.corpus import tsv
from mtpeft.errors import UserError


def choose_subset(settings: Mapping[str, Any], *, train: Path, output: Path) -> None:
    """Write the indices of the first ``pairs`` rows of train.tsv, from 0, one per line; of all rows where there are
    fewer and ``at_most`` is set.

    The rows stand in the order of the hashes of their ids, so a smaller size is a part of every larger one.

    Raises:
        UserError: there are too few rows.
    """
    available = len(tsv.read_pairs(train))
    wanted = min(settings["pairs"], available) if settings.get("at_most") else settings["pairs"]
    if not 0 < wanted <= available:
        raise UserError(
            f"sizes.*.pairs asks for {settings['pairs']} pairs, but {train} has {available}: write a size of at most "
            f"{available}, or raise split.tuning or name more text in corpora."
        )
    records.write_lines(output, map(str, range(wanted)))
