"""What the steps inherit from the Snakemake that starts them."""

import os
import sys
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parents[2]


def share_python() -> None:
    """Let every step run in the Python that runs Snakemake, activated or not, and find this package there."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PYTHONPATH"] = str(PACKAGE_FOLDER)
