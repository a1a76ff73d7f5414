"""Install mtdata beside the workflow, which runs on newer versions of what it needs, and have it make its index."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.data.sources.mtdata.environment import INDEX, run_inside
from mtpeft.isolated.install import install_packages, new_environment


def install_mtdata(settings: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, the index of all datasets, and the record itself.

    Raises:
        UserError: pip could not get a package.
    """
    with new_environment(record.parent) as made:
        install_packages("mtdata", settings["requirements"], made)
        (made / INDEX).mkdir()
        indexed = run_inside(made, "index", {})
        files.write_record(made / record.name, {"settings": settings, **indexed})
