"""Find a dataset in the index that mtdata has written, one JSON object per line."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.data.sources.mtdata.environment import index_of
from mtpeft.data.sources.mtdata.ids import Codes, means_all, parse_id, tag_of

FORMATS_WITHOUT_READER = {"hfds": "datasets", "xlsx": "openpyxl"}
"""Formats of files that mtdata reads with a package that is not among its own requirements, and that package."""
BEGIN = '{"did": "'


@dataclass(frozen=True)
class Dataset:
    """A dataset of the index.

    Attributes:
        id: id in the index, which may have the languages in another order than the wanted one.
        swapped: whether it has them in another order.
        files: address and name of each file.
    """

    id: str
    swapped: bool
    files: tuple[tuple[str, str], ...]


def find_dataset(environment: Path, wanted: str) -> Dataset:
    """Find the dataset of an id, with the languages in either order.

    Where no dataset of the stem has these codes, one with codes of the same languages is taken, if there is only one:
    `swh` for `swa`.

    Raises:
        UserError: there is none, or one that cannot be read here.
    """
    index = index_of(environment)
    stem, codes = parse_id(wanted)
    entries = {parse_id(entry["did"])[1]: entry for entry in _entries(index, stem)}
    found = _find(entries, codes)
    if found is None:
        raise UserError(
            f"mtdata knows no dataset '{wanted}': the nearest are {', '.join(_nearest(index, wanted))}; write one of "
            "these in corpora.*.mtdata."
        )
    return _described(entries[found], swapped=found != codes and not means_all(found, list(map(tag_of, codes))))


def _find(entries: dict[Codes, Any], codes: Codes) -> Codes | None:
    for ordered in (codes, codes[::-1]):
        if ordered in entries:
            return ordered
    alike = [known for known in entries for order in (codes, codes[::-1]) if means_all(known, list(map(tag_of, order)))]
    return alike[0] if len(alike) == 1 else None


def _described(entry: dict[str, Any], *, swapped: bool) -> Dataset:
    form = entry.get("in_ext") or entry["ext"]
    if form in FORMATS_WITHOUT_READER:
        raise UserError(
            f"mtdata reads '{entry['did']}' with the package {FORMATS_WITHOUT_READER[form]}, which is not installed "
            "beside it: write another id in corpora.*.mtdata, or fetch the text yourself and write corpora.*.files."
        )
    url = entry["url"]
    files = [(url, entry["filename"])] if isinstance(url, str) else [(part, part.split("/")[-1]) for part in url]
    return Dataset(entry["did"], swapped, tuple((address, Path(name).name) for address, name in files))


def _entries(index: Path, stem: str) -> Iterator[dict[str, Any]]:
    """Read the entries of parallel text with a stem."""
    begin = json.dumps({"did": f"{stem}-"})[: -len('"}')]
    with index.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(begin) and _is_parallel(line):
                yield json.loads(line)


def _is_parallel(line: str) -> bool:
    return line[len(BEGIN) : line.index('"', len(BEGIN))].count("-") == 4


def _nearest(index: Path, wanted: str) -> list[str]:
    """List the ids most like one: of the same stem if there are any, else of the three stems most like it."""
    stem, codes = parse_id(wanted)
    stems: dict[str, list[str]] = {}
    with index.open(encoding="utf-8") as lines:
        for line in filter(_is_parallel, lines):
            known = json.loads(re.match(r'\{"did": ("[^"]*")', line)[1])
            stems.setdefault(parse_id(known)[0], []).append(known)
    if stem in stems:
        return difflib.get_close_matches(wanted, stems[stem], n=3, cutoff=0.0)
    alike = difflib.get_close_matches(stem, stems, n=3, cutoff=0.0)
    return [_most_like(wanted, set(codes), stems[known]) for known in alike]


def _most_like(wanted: str, codes: set[str], known: list[str]) -> str:
    """Choose the id with the same languages, or else the one most like the wanted id."""
    same = [dataset for dataset in known if set(parse_id(dataset)[1]) == codes]
    return (same or difflib.get_close_matches(wanted, known, n=1, cutoff=0.0))[0]
