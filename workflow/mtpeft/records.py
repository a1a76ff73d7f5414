"""Read and write the small text files that the steps hand to each other, never half-written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mtpeft.errors import DamagedError


def write_text(path: Path, text: str) -> None:
    """Write through a temporary name, so that the file exists whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish_folder(temporary: Path, folder: Path) -> None:
    """Give a finished folder its name, in the place of an older one, and let others read it: libraries may not."""
    for file in temporary.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.chmod(0o644)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line per item."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_lines(path: Path) -> list[str]:
    """Lines without their line feed; other line separators of Unicode do not split."""
    with open(path, encoding="utf-8", newline="\n") as stream:
        return [line.rstrip("\n") for line in stream]


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON record with sorted keys; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON record.

    Raises:
        DamagedError: it was cut, or is no JSON.
        FileNotFoundError: there is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # of JSON, and of bytes that are no UTF-8
        content = None
    if not isinstance(content, dict):
        raise DamagedError(f"{path} is no whole record: it was cut or changed", record=path)
    return content


def read_if_whole(path: Path) -> tuple[dict[str, Any], str] | None:
    """A JSON record and the SHA-256 of its file, from one reading.

    None where there is no whole record, which is no mistake beside a sweep: a step that begins has its old one removed.
    """
    try:
        text = path.read_bytes()
        content = json.loads(text)
    except (FileNotFoundError, ValueError):
        return None
    return (content, hashlib.sha256(text).hexdigest()) if isinstance(content, dict) else None


def canonical(settings: Mapping[str, Any]) -> str:
    """Settings as key-sorted JSON on one line: the form in which they are passed, stored and compared."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
