"""Install environments of their own from their pins: whole, or not at all.

Packages that the workflow has in the same version are linked into an environment and not installed twice. Torch makes
the difference: it has gigabytes, and its builds for GPUs come with libraries that no pin names.
"""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.isolated.run import PACKAGES

PINS = PROJECT / "envs"
OPTIONS = ("--quiet", "--no-deps", "--only-binary=:all:", "--no-compile")
NAME = re.compile(r"[\w.-]+")
NO_MODULES = ("..", "__pycache__")


def pins_of(environment: str) -> list[str]:
    """Return the pins of an environment by its name, one requirement each."""
    lines = (PINS / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pinned_version(environment: str, package: str) -> str:
    """Return the version of a package that an environment's pins name."""
    return dict(line.split("==") for line in pins_of(environment))[package]


def install_packages(name: str, requirements: Sequence[str], environment: Path) -> None:
    """Install exact versions, if any, into the folder of an environment; messages call what they are for `name`.

    Raises:
        UserError: pip could not get a package.
    """
    (environment / PACKAGES).mkdir()
    if not requirements:
        return
    failure = run_pip("install", *OPTIONS, "--target", str(environment / PACKAGES), *requirements)
    if failure:
        raise UserError(
            f"pip could not install {name} ({failure}): mend the network or the index that pip is configured for, and "
            "run again."
        )


def run_pip(*arguments: str) -> str | None:
    """Run a command of pip as the user has configured it; returns its own words where it fails, else None."""
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if finished.returncode == 0:
        return None
    errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else f"exit code {finished.returncode}"


def shared_packages(requirements: Sequence[str]) -> list[str]:
    """Return the names of the packages that this Python has in the required version, whichever build of it."""
    wanted = dict(requirement.split("==") for requirement in requirements)
    return [name for name, version in wanted.items() if version == _version(name)]


def libraries_of(package: str, pinned: Sequence[str]) -> list[str]:
    """Return the packages of this Python that one of them needs, directly or not, except those that are pinned."""
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
    """Return the version of a package of this Python, without the name of its build."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def _top_level(name: str) -> set[Path]:
    """Return the files and folders of a package among those of other packages."""
    package = importlib.metadata.distribution(name)
    first = {Path(file).parts[0] for file in package.files or ()}
    return {Path(package.locate_file(part)).absolute() for part in first.difference(NO_MODULES)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
