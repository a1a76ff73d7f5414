"""A cache of a cell's training results, beside its checkpoint, while its SLURM job may be started again.

Cells that share an allocation are one job for SLURM and for Snakemake. Where one of them is stopped, the job is started
again as a whole: Snakemake removes what the finished cells had made, and runs their steps anew. The cache holds hard
links, which take no space. Decoding the cell, for which its job must have ended, deletes the cache.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cluster.slurm import RUN_VARIABLE, job_id
from mtpeft.core.files import new_folder, read_record, write_record

FOLDER = "finished"
"""Folder of the cache in the state folder of a cell."""
WEIGHTS, RECORD, RUN = "weights", "record.json", "run.json"


def keep_or_clear(state: Path, record: Path) -> None:
    """Remove the state of a finished cell, but cache its record and `tuned/` if this is a SLURM job of Snakemake's.

    Where the file system has no hard links, nothing is cached.
    """
    shutil.rmtree(state, ignore_errors=True)
    run = os.environ.get(RUN_VARIABLE)
    if job_id() and run:
        with contextlib.suppress(OSError):
            _store(state, record, run)


def _store(state: Path, record: Path, run: str) -> None:
    with new_folder(state / FOLDER) as temporary:
        shutil.copytree(record.parent / "tuned", temporary / WEIGHTS, copy_function=os.link)
        os.link(record, temporary / RECORD)
        write_record(temporary / RUN, {"run": run})


def restore(state: Path, record: Path, *, params: Mapping[str, Any], hashes: Mapping[str, str]) -> bool:
    """Restore cached results of these params and inputs; returns whether this run of Snakemake has made them."""
    cached = state / FOLDER
    if not cached.exists():
        return False
    content = read_record(cached / RECORD)
    inputs = {key: value for key, value in content["inputs"].items() if key != "base"}
    same = (content["params"], inputs) == (dict(params), dict(hashes))
    if not same or os.environ.get(RUN_VARIABLE) != read_record(cached / RUN)["run"]:
        shutil.rmtree(cached)
        return False
    with new_folder(record.parent / "tuned") as temporary:
        shutil.copytree(cached / WEIGHTS, temporary, copy_function=os.link, dirs_exist_ok=True)
    write_record(record, content)
    print("This run of Snakemake has trained the cell already; its results are restored from the cache.", flush=True)
    keep_or_clear(state, record)
    return True


def evict(state: Path) -> None:
    """Remove the cached results of a cell, and the state folder with them if nothing else is there."""
    for folder in (FOLDER, f".{FOLDER}.tmp"):
        shutil.rmtree(state / folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        state.rmdir()
