"""What the steps inherit from the Snakemake that starts them."""

import os
import sys
from pathlib import Path

from mtpeft.parent import PARENT_VARIABLE

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Lets glibc keep the memory of one update for the next: without it small models train about 8 % slower."""
PACKAGE_FOLDER = Path(__file__).parents[2]


def share_python() -> None:
    """Let every step run in the Python that runs Snakemake, activated or not, and find this package there."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    paths = [str(PACKAGE_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    for name, value in ALLOCATOR.items():
        os.environ.setdefault(name, value)
