"""Sentences that a user should see though nothing has failed.

A step puts them into its record under `warnings` and prints them; what runs the sweep shows those of all records.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mtpeft.core.files import read_if_whole


def warn(warnings: Iterable[str]) -> None:
    """Print sentences on standard error, each with what it is in front."""
    for warning in warnings:
        print(f"mtpeft: warning: {warning}", file=sys.stderr, flush=True)


def kind_of(warning: str) -> str:
    """Return what warnings about other files, with other numbers, have in common: their plain words."""
    return " ".join(word for word in warning.split() if word.isalpha())


def recorded_warnings(files: Iterable[Path]) -> Iterator[str]:
    """The warnings of records, each once, with the record that has it; records that are not there have none."""
    told = set()
    for file in files:
        found = read_if_whole(file)
        for warning in found[0].get("warnings", ()) if found else ():
            if warning not in told:
                told.add(warning)
                yield f"{warning} ({file})"
