"""Read the JSON files of a model's folder: each holds one object, or a sentence says why not."""

import json
from pathlib import Path
from typing import Any

from mtpeft.errors import UserError

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
