"""Make an environment: whole, in the place of an older one, or not at all."""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.isolated.run import PACKAGES

OPTIONS = ("--quiet", "--no-deps", "--only-binary=:all:", "--no-compile")


@contextmanager
def new_environment(folder: Path) -> Iterator[Path]:
    """A folder to make an environment in, which gets its own name when all has gone well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / folder.name
        yield made
        files.publish_folder(made, folder)


def install_packages(name: str, requirements: Sequence[str], environment: Path) -> None:
    """Install exact versions into an environment's folder; `name` is what people call what they are for.

    Raises:
        UserError: pip could not get a package.
    """
    failure = run_pip("install", *OPTIONS, "--target", str(environment / PACKAGES), *requirements)
    if failure:
        raise UserError(
            f"pip could not install {name} ({failure}): mend the network or the index that pip is configured for, and "
            "run again."
        )


def run_pip(*arguments: str) -> str | None:
    """Run a command of pip; returns None, or in its own words why it failed."""
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if finished.returncode == 0:
        return None
    errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else f"exit code {finished.returncode}"


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
