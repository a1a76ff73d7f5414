"""Call mtdata in its own environment: a folder of packages that this Python alone sees, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError

PACKAGES = "packages"
INDEX = "index"
PROGRAM = Path(__file__).with_name("inside.py")
# No site-packages and no variables of Python, and text is UTF-8 whatever the machine's locale says.
ISOLATED = ("-I", "-S", "-X", "utf8")


def run_inside(environment: Path, command: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a command of `inside` and return its answer.

    Raises:
        UserError: the command said what is wrong, or mtdata does not start.
    """
    folder = environment.resolve()
    finished = subprocess.run(
        [sys.executable, *ISOLATED, str(PROGRAM), str(folder / PACKAGES), command],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        # mtdata loads every mtdata*.py of the working directory. Without a PATH it finds no program that unpacks: of
        # those that it prefers to Python's own libraries, it ignores whether they fail.
        cwd=folder / INDEX,
        env={**os.environ, "MTDATA": str(folder / INDEX), "PATH": ""},
        errors="replace",
        check=False,
    )
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"])[-1]
        raise UserError(_broken(environment, last))
    return json.loads(finished.stdout)


def index_of(environment: Path) -> Path:
    """The index of all datasets, which mtdata writes as one JSON object per line.

    Raises:
        UserError: it is not there.
    """
    index = next((environment / INDEX).glob("*.jsonl"), None)
    if index is None:
        raise UserError(_broken(environment, "it has no index"))
    return index


def _broken(environment: Path, reason: str) -> str:
    return f"mtdata does not work in {environment} ({reason}): delete that folder and run again."
