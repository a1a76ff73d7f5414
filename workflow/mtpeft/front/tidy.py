"""List or remove what no study file uses any more: results of changed entries, and of studies that were given up."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from mtpeft.cluster.folder_lock import lock_folder
from mtpeft.config.schema import Configuration
from mtpeft.front.study_records import all_uses, size_of
from mtpeft.steps.paths import in_use

WITH_DIGEST = (
    "data/wheels/*/*",
    "data/mtdata/*",
    "data/corpora/*",
    "data/pairs/*",
    "data/vocabularies/*",
    "data/metrics/*/*",
    "data/tokens/*",
    "data/tokens/*/*",
    "results/models/*",
    "results/rates/*/*/*/*",
    "results/calibration/*/*",
    "results/cells/*/*/*/*/*/*",
)
"""Patterns of folders and files whose names end with a digest."""


def tidy(configuration: Configuration, *, removes: bool) -> Iterator[str]:
    """List, and remove if asked to, what neither this configuration nor a study file with results uses; yields lines.

    A study file that was given up counts until its folder under results/ is deleted.

    Raises:
        UserError: a sweep works in this folder, and things are to be removed.
    """
    if removes:
        with lock_folder():
            yield from _tidied(configuration, removes=True)
    else:
        yield from _tidied(configuration, removes=False)


def unused(configuration: Configuration) -> list[Path]:
    """Folders and files with a digest that no study file uses, without those inside of such a folder."""
    used = {Path(path) for path in all_uses() | in_use(configuration)}
    kept = used | {folder for path in used for folder in path.parents}
    found = [path for pattern in WITH_DIGEST for path in sorted(Path().glob(pattern)) if _bears_digest(path)]
    unused = {path for path in found if path not in kept}
    return [path for path in found if path in unused and not unused.intersection(path.parents)]


def _tidied(configuration: Configuration, *, removes: bool) -> Iterator[str]:
    found, total = unused(configuration), 0
    for path in found:
        size = size_of(path)
        total += size
        yield f"{size / 1e6:10.1f} MB  {path}"
        if removes:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not found:
        yield "Everything here is used by this study file or by another one that has results."
    elif removes:
        yield f"{total / 1e6:10.1f} MB  removed."
    else:
        yield f"{total / 1e6:10.1f} MB  are used by no study file that has results; --remove removes them."


def _bears_digest(path: Path) -> bool:
    """Whether a name ends with a digest, before its suffix if it has one."""
    return path.match(f"*-{'[0-9a-f]' * 8}") or path.match(f"*-{'[0-9a-f]' * 8}.*")
