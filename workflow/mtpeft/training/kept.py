"""Results of a cell, kept beside its state while the SLURM job that trained it may be started again.

Cells that share an allocation are one job for SLURM and for Snakemake. Where one of them is stopped, the job is started
again as a whole: Snakemake removes what the finished ones had made, and runs their steps anew. What is kept are hard
links, which take no room; decoding the cell, for which its job must have ended, removes them.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cluster.slurm import RUN_VARIABLE, job_id
from mtpeft.core.files import publish_folder, read_record, write_record

FOLDER = "finished"
WEIGHTS, RECORD, RUN = "weights", "record.json", "run.json"


def keep_or_clear(state: Path, record: Path) -> None:
    """Remove the state of a finished cell, but keep its record and `tuned/` if this is a SLURM job of Snakemake's.

    Where the file system has no hard links, nothing is kept.
    """
    shutil.rmtree(state, ignore_errors=True)
    run = os.environ.get(RUN_VARIABLE)
    if job_id() and run:
        with contextlib.suppress(OSError):
            _keep(state, record, run)


def _keep(state: Path, record: Path, run: str) -> None:
    temporary = state / f".{FOLDER}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(record.parent / "tuned", temporary / WEIGHTS, copy_function=os.link)
    os.link(record, temporary / RECORD)
    write_record(temporary / RUN, {"run": run})
    temporary.rename(state / FOLDER)


def bring_back(state: Path, record: Path, *, settings: Mapping[str, Any], hashes: Mapping[str, str]) -> bool:
    """Put kept results of these settings and inputs in their place; True where this run of Snakemake has made them."""
    kept = state / FOLDER
    if not kept.exists():
        return False
    content = read_record(kept / RECORD)
    inputs = {key: value for key, value in content["inputs"].items() if key != "base"}
    same = (content["settings"], inputs) == (dict(settings), dict(hashes))
    if not same or os.environ.get(RUN_VARIABLE) != read_record(kept / RUN)["run"]:
        shutil.rmtree(kept)
        return False
    temporary = record.with_name(".tuned.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(kept / WEIGHTS, temporary, copy_function=os.link)
    publish_folder(temporary, record.parent / "tuned")
    write_record(record, content)
    print("This run of Snakemake has trained the cell already; its results are put back.", flush=True)
    keep_or_clear(state, record)
    return True


def forget(state: Path) -> None:
    """Remove what is kept of a cell that is decoded, and the folder with it, if nothing else is there."""
    for folder in (FOLDER, f".{FOLDER}.tmp"):
        shutil.rmtree(state / folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        state.rmdir()
