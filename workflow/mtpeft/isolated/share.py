"""Share packages of the workflow with another environment: what both have in one version is not installed twice.

Torch makes the difference: it has gigabytes, and its builds for GPUs come with libraries that no pin names.
"""

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path

from mtpeft.isolated.run import PACKAGES

NAME = re.compile(r"[\w.-]+")
NO_MODULES = ("..", "__pycache__")


def shared_packages(requirements: Sequence[str]) -> list[str]:
    """Names of the packages that this Python has in the very version that is wanted, whichever build of it."""
    wanted = dict(requirement.split("==") for requirement in requirements)
    return [name for name, version in wanted.items() if version == _version(name)]


def libraries_of(package: str, pinned: Sequence[str]) -> list[str]:
    """Packages of this Python that one of them needs, directly or not, but for those that are pinned."""
    known, todo = {_plain(name) for name in pinned}, [package]
    found: list[str] = []
    while todo:
        needed = [NAME.match(requirement)[0] for requirement in importlib.metadata.requires(todo.pop()) or ()]
        new = {_plain(name) for name in needed if _version(name)} - known
        known |= new
        todo += sorted(new)
        found += sorted(new)
    return found


def link_packages(names: Sequence[str], environment: Path) -> None:
    """Link packages of this Python into an environment."""
    for path in sorted({path for name in names for path in _top_level(name)}):
        (environment / PACKAGES / path.name).symlink_to(path)


def _version(name: str) -> str | None:
    """Version of a package of this Python, without the name of its build."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def _top_level(name: str) -> set[Path]:
    """Files and folders of a package among those of other packages."""
    package = importlib.metadata.distribution(name)
    first = {Path(file).parts[0] for file in package.files or ()}
    return {Path(package.locate_file(part)).absolute() for part in first.difference(NO_MODULES)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
