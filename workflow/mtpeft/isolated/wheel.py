"""Get a wheel of the package index, which is checked and read, never installed."""

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.isolated.install import run_pip

WHEELS_VARIABLE = "MTPEFT_WHEELS"
"""Environment variable that may name a folder of wheels: the way to run without a network."""


@dataclass(frozen=True)
class WheelName:
    """A wheel as the configuration names it.

    Attributes:
        key: of the configuration, for messages.
        package: name of the package.
        version: exact version.
        sha256: of the wheel's file.
        python: Python version that the wheel asks for, where ours is older.
    """

    key: str
    package: str
    version: str
    sha256: str
    python: str | None = None


@contextmanager
def open_wheel(wheel: WheelName, folder: Path) -> Iterator[zipfile.ZipFile]:
    """Open a wheel of the folder that `MTPEFT_WHEELS` names, or download it into a folder.

    It comes from pip, with the index, the mirror and the proxy that pip is configured for.

    Raises:
        UserError: it could not be downloaded, has another hash than the configured one, or is no whole zip file.
    """
    file = _local_wheel(wheel) or _download(wheel, folder)
    _check_hash(wheel, file)
    try:
        with zipfile.ZipFile(file) as opened:
            yield opened
    except zipfile.BadZipFile:
        raise UserError(
            f"The wheel {file.name} is not a whole zip file: download it again and correct {wheel.key}.sha256."
        ) from None


def licence_of(wheel: zipfile.ZipFile) -> str | None:
    """Return the licence in the wheel's own metadata."""
    for name in wheel.namelist():
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
            headers = HeaderParser().parsestr(wheel.read(name).decode("utf-8"))
            return headers["License-Expression"] or headers["License"]
    return None


def _local_wheel(wheel: WheelName) -> Path | None:
    folder = os.environ.get(WHEELS_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise UserError(f"The environment variable MTPEFT_WHEELS is {folder}: name a folder that exists, or unset it.")
    return _find_wheel(wheel, Path(folder))


def _find_wheel(wheel: WheelName, folder: Path) -> Path | None:
    name = re.sub(r"[-_.]+", "_", wheel.package).lower()
    start = f"{name}-{wheel.version}-"
    return min((path for path in folder.glob("*.whl") if path.name.lower().startswith(start)), default=None)


def _download(wheel: WheelName, folder: Path) -> Path:
    requirement = f"{wheel.package}=={wheel.version}"
    version = ["--python-version", wheel.python] if wheel.python else []
    options = ["--no-deps", "--only-binary=:all:", *version]
    failure = run_pip("download", *options, "-d", str(folder), requirement)
    file = _find_wheel(wheel, folder)
    if failure or file is None:
        raise UserError(
            f"pip could not download {requirement} ({failure or 'no such wheel came'}): mend {wheel.key} or the "
            "network, or put the wheel in a folder and name that in the environment variable MTPEFT_WHEELS."
        )
    return file


def _check_hash(wheel: WheelName, file: Path) -> None:
    found = files.sha256_of(file)
    if found != wheel.sha256:
        raise UserError(
            f"The wheel {file.name} has the SHA-256 {found}, but {wheel.key}.sha256 says {wheel.sha256}: run again if "
            "the download was cut short, or write the hash of the wheel you trust."
        )
