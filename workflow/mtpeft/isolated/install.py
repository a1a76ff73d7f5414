"""Environments of their own: their pins, and their installation, whole or not at all."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.files import PROJECT
from mtpeft.isolated.pip import run_pip
from mtpeft.isolated.run import PACKAGES

PINS = PROJECT / "envs"
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


def pins_of(environment: str) -> list[str]:
    """The pins of an environment by its name, one requirement each."""
    lines = (PINS / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pinned_version(environment: str, package: str) -> str:
    """The version of a package that an environment's pins name."""
    return dict(line.split("==") for line in pins_of(environment))[package]
