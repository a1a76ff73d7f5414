"""Install environments of their own from their pins: whole, or not at all.

Packages that the workflow has in the same version are linked into an environment and not installed twice. Torch makes
the difference: it has gigabytes, and its builds for GPUs come with libraries that no pin names.
"""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.isolated.run import PACKAGES

PINS = PROJECT / "envs"
OPTIONS = ("--quiet", "--no-deps", "--only-binary=:all:", "--no-compile")
NAME = re.compile(r"[\w.-]+")
PIN = re.compile(r"(?m)^([\w.-]+==[\w.!+-]+)((?:[^\n]*\\\n)*[^\n]*)$")
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
NO_MODULES = ("..", "__pycache__")


def pins_of(environment: str) -> list[str]:
    """Return the pins of an environment by its name, each as `name==version`."""
    return list(hashes_of(environment))


def hashes_of(environment: str) -> dict[str, tuple[str, ...]]:
    """Return the hashes of an environment's packages by pin, each as `sha256:...`; any of them is the package's."""
    text = (PINS / f"{environment}.txt").read_text(encoding="utf-8")
    return {pin[1]: tuple(HASH.findall(pin[2])) for pin in PIN.finditer(text)}


def pinned_version(environment: str, package: str) -> str:
    """Return the version of a package that an environment's pins name."""
    return dict(line.split("==") for line in pins_of(environment))[package]


def install_packages(
    name: str, requirements: Sequence[str], environment: Path, *, hashes: Mapping[str, Sequence[str]]
) -> None:
    """Install exact versions, if any, into the folder of an environment.

    Args:
        name: what messages call that which the packages are for.
        requirements: each as `name==version`.
        environment: folder of the environment.
        hashes: of the files of each requirement, each as `sha256:...`. pip takes no other file. A requirement without
            hashes can stand beside none that has them.

    Raises:
        UserError: pip could not get a package, or got another file than the hashes name.
    """
    (environment / PACKAGES).mkdir()
    if not requirements:
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as pins:
        for pin in requirements:
            pins.write(" ".join([pin, *(f"--hash={digest}" for digest in hashes.get(pin, ()))]) + "\n")
        pins.flush()
        failure = run_pip("install", *OPTIONS, "--target", str(environment / PACKAGES), "--requirement", pins.name)
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
