"""Read and write the small text files that the steps hand to each other, never half-written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtpeft.core.errors import DamagedError, UserError

PROJECT = Path(__file__).parents[3]
"""The project's own folder."""


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


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder under another name; when all has gone well, it takes the place of `folder`.

    So `folder` is there whole or not at all. Others can read its files, which some libraries write for one user alone.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
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


def canonical(params: Mapping[str, Any]) -> str:
    """Params as key-sorted JSON on one line: the form in which they are passed, stored and compared."""
    return json.dumps(params, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\xef\xbb\xbf": "UTF-8 with a byte order mark"}
"""First bytes of a file in an encoding that no library reads here."""
MOST_BYTES = 2**28
"""Size of the largest file that is read; the largest tokenizers have a fifth of it."""


def read_json_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: the file can't be read, is not UTF-8 or no JSON, names a key twice, or holds no object.
    """
    text = _read_text(file)
    try:
        content = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}, line {error.lineno} is not valid JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is no JSON that can be read: {_reason(error)}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} must hold one JSON object in braces; it holds {_kind(content)}.")
    return content


def _read_text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserError(
                f"{file} has more than {MOST_BYTES >> 20} MB, which no such file has; name the right folder."
            )
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}); see to it that it can be.") from error
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise UserError(f"{file} is in {encoding}, which is not read; save it in UTF-8 without such a mark.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{file}, line {line} is not in UTF-8; save the file in that encoding.") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"it names the key '{twice}' twice, so that nobody knows which is meant")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}, which JSON has no word for")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).split(";")[0].split(":")[0]


def _kind(content: Any) -> str:
    kinds = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(content), "null")


def found_path(path: str) -> Path:
    """A path from the working directory or, where there is nothing, from the project's own folder."""
    return Path(path) if Path(path).exists() or not (PROJECT / path).exists() else PROJECT / path
