"""Install COMET beside the workflow, which runs on newer versions of what it needs, but for what both have alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.isolated.install import install_packages, libraries_of, link_packages, new_environment, shared_packages
from mtpeft.metrics.comet.environment import comet_program

BUILT = "torch"
"""The package whose builds come with libraries that no pin names."""


def install_comet(settings: Mapping[str, Any], *, record: Path) -> None:
    """Make the folder of the record: packages, and the record itself with the versions of what scores depend on.

    Raises:
        UserError: pip could not get a package.
    """
    requirements = settings["requirements"]
    shared = shared_packages(requirements)
    own = [requirement for requirement in requirements if requirement.split("==")[0] not in shared]
    names = [requirement.split("==")[0] for requirement in requirements]
    libraries = libraries_of(BUILT, names) if BUILT in shared else []
    with new_environment(record.parent) as made:
        install_packages("COMET", own, made)
        link_packages([*shared, *libraries], made)
        found = comet_program(made).answer("versions", {}, folder=made)
        files.write_record(made / record.name, {"settings": settings, "shared": sorted(shared), "versions": found})
