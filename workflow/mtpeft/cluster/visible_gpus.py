"""Which GPUs the steps of this machine may use, known without torch."""

import os
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from mtpeft.core.provenance import VISIBLE_VARIABLE

DEVICES_VARIABLE = "MTPEFT_DEVICES"
"""GPUs to use, where it should not be all that are there: names as CUDA has them, with commas."""
JOB_VARIABLES = ("SLURM_JOB_ID", "SLURM_STEP_ID")
NO_DEVICE = ("", "-1", "NoDevFiles")
"""How CUDA and SLURM say that there is none, or that no more follow."""
DRIVER_FILES = Path("/dev")
TOOL = "nvidia-smi"


def devices_here() -> list[str]:
    """Names of the GPUs that may be used, as CUDA_VISIBLE_DEVICES has them; none on a machine without.

    A SLURM job has those that it was given, whatever the machine has besides.
    """
    in_job = JOB_VARIABLES[0] in os.environ
    if not in_job and os.environ.get(DEVICES_VARIABLE):
        return _names(os.environ[DEVICES_VARIABLE])
    if version("torch").endswith("+cpu"):
        return []
    if in_job or VISIBLE_VARIABLE in os.environ:
        return _names(os.environ.get(VISIBLE_VARIABLE, ""))
    return [str(number) for number in range(_count())]


def _names(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",")]
    end = next((place for place, name in enumerate(names) if name in NO_DEVICE), len(names))
    return list(dict.fromkeys(names[:end]))


def _count() -> int:
    """GPUs that the driver shows; where it has no files for them, as in WSL, its tool is asked."""
    files = [file for file in DRIVER_FILES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", file.name)]
    if files or not shutil.which(TOOL):
        return len(files)
    listed = subprocess.run([TOOL, "-L"], capture_output=True, text=True, check=False).stdout
    return sum(line.startswith("GPU ") for line in listed.splitlines())
