"""Hashes and records of files that many cells share: read once, and again only when the file has changed.

A file is taken for the same while its size and its time of change, in nanoseconds, are the same.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.core.files import read_if_whole, sha256_of

Stamp = tuple[str, int, int]
FILES = 4096
"""Most files that are remembered; those of a study are a few for each of its pairs, models and sizes."""


def known_record(file: str | Path) -> dict[str, Any] | None:
    """A JSON record, or None where there is none that is whole; it is shared, so it must not be changed."""
    stamp = _stamp(file)
    return _record(stamp) if stamp else None


def known_digest(file: str | Path) -> str | None:
    """SHA-256 of a file, or None where there is no file."""
    stamp = _stamp(file)
    return _digest(stamp) if stamp else None


def changed_at(file: str | Path) -> int:
    """Time at which a file was changed, in nanoseconds; 0 where there is no file."""
    stamp = _stamp(file)
    return stamp[2] if stamp else 0


def _stamp(file: str | Path) -> Stamp | None:
    path = os.path.abspath(file)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return path, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=FILES)
def _record(stamp: Stamp) -> dict[str, Any] | None:
    read = read_if_whole(Path(stamp[0]))
    return read[0] if read else None


@lru_cache(maxsize=FILES)
def _digest(stamp: Stamp) -> str | None:
    try:
        return sha256_of(Path(stamp[0]))
    except FileNotFoundError:
        return None
