"""Call mtdata in its own environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.isolated.run import Program

INDEX = "index"
PROGRAM = Path(__file__).with_name("inside.py")


def run_inside(environment: Path, command: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a command of `inside` and return its answer.

    Raises:
        UserError: the command said what is wrong, or mtdata does not start.
        TryAgainError: it was killed.
    """
    # mtdata loads every mtdata*.py of the working directory.
    return _program(environment).answer(command, request, folder=environment / INDEX)


def index_of(environment: Path) -> Path:
    """The index of all datasets, which mtdata writes as one JSON object per line.

    Raises:
        UserError: it is not there.
    """
    index = next((environment / INDEX).glob("*.jsonl"), None)
    if index is None:
        raise _program(environment).broken("it has no index")
    return index


def _program(environment: Path) -> Program:
    """Without a PATH mtdata finds no program that unpacks: of those that it prefers to Python's own libraries, it
    ignores whether they fail.
    """
    variables = {"MTDATA": str(environment.resolve() / INDEX), "PATH": ""}
    return Program("mtdata", PROGRAM, environment, variables)
