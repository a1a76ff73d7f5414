"""Install mtdata beside the workflow, which runs on newer versions of what it needs, and have it make its index."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft import records
from mtpeft.corpus.mtdata.environment import INDEX, PACKAGES, run_inside
from mtpeft.corpus.pip import run_pip
from mtpeft.errors import UserError

OPTIONS = ("--quiet", "--no-deps", "--only-binary=:all:", "--no-compile")


def install_mtdata(settings: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, the index of all datasets, and the record itself.

    Raises:
        UserError: pip could not get a package.
    """
    folder = record.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / folder.name
        install_packages(settings["requirements"], made)
        (made / INDEX).mkdir()
        indexed = run_inside(made, "index", {})
        records.write_record(made / record.name, {"settings": settings, **indexed})
        records.publish_folder(made, folder)


def install_packages(requirements: list[str], folder: Path) -> None:
    """Install exact versions into an environment's folder."""
    failure = run_pip("install", *OPTIONS, "--target", str(folder / PACKAGES), *requirements)
    if failure:
        raise UserError(
            f"pip could not install mtdata ({failure}): mend the network or the index that pip is configured for, and "
            "run again."
        )
