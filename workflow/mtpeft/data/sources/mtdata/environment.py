"""The environment of mtdata: it is installed beside the workflow, which runs on newer versions of what mtdata needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.files import new_folder, write_record
from mtpeft.isolated.install import hashes_of, install_packages
from mtpeft.isolated.run import Program

INDEX = "index"
PROGRAM = Path(__file__).with_name("inside.py")


def install_mtdata(params: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, the index of all datasets, and the record itself.

    Raises:
        UserError: pip could not get a package.
    """
    with new_folder(record.parent) as made:
        install_packages("mtdata", params["requirements"], made, hashes=hashes_of("mtdata"))
        (made / INDEX).mkdir()
        indexed = run_inside(made, "index", {})
        write_record(made / record.name, {"params": params, **indexed})


def run_inside(environment: Path, command: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a command of `inside` and return its answer.

    Raises:
        UserError: the command said what is wrong, or mtdata does not start.
        TryAgainError: it was killed.
    """
    # mtdata loads every mtdata*.py of the working directory.
    return _program(environment).answer(command, request, folder=environment / INDEX)


def index_of(environment: Path) -> Path:
    """Find the index of all datasets, which mtdata writes as one JSON object per line.

    Raises:
        UserError: it is not there.
    """
    index = next((environment / INDEX).glob("*.jsonl"), None)
    if index is None:
        raise _program(environment).broken("it has no index")
    return index


def _program(environment: Path) -> Program:
    """Describe how mtdata is run: without a PATH, so that it finds no program that unpacks.

    It prefers such programs to Python's own libraries, and ignores whether they fail.
    """
    variables = {"MTDATA": str(environment.resolve() / INDEX), "PATH": ""}
    return Program("mtdata", PROGRAM, environment, variables)
