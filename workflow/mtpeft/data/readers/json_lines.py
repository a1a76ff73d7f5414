"""Parallel text under two keys of JSON objects, one object per line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UserError
from mtpeft.data.readers.base import Line, Reader
from mtpeft.data.readers.lines import read_text_lines

KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
"""JSON's names of values, by their types in Python."""
ASKED = 'write one object per line, such as {"sw": "Habari", "en": "Hello"}.'


def read_jsonl(path: Path, keys: Sequence[str | int]) -> list[Line]:
    """Read the text under a key for each side; dots lead into objects inside of objects, as in ``translation.de``.

    A null is a blank side; blank lines are skipped.

    Raises:
        UserError: the file can't be read, or a line is no JSON object with text under both keys.
    """
    lines = []
    for number, text in enumerate(read_text_lines(path), start=1):
        if text.strip():
            place = f"{path}, line {number},"
            entry = _parsed(text, place)
            lines.append(Line(number, *(_text_under(str(key), entry, place) for key in keys)))
    return lines


JSONL = Reader(
    name="jsonl",
    description="A file with one JSON object per line.",
    endings=(".jsonl", ".json", ".ndjson"),
    read=read_jsonl,
    columns="{sw: translation.sw, en: translation.en}",
    numbered=False,
)


def _parsed(text: str, place: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{place} is not JSON ({error.msg}, column {error.colno}): {ASKED}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} holds JSON that can't be read ({error}): {ASKED}") from None
    if not isinstance(entry, dict):
        raise UserError(f"{place} is {KINDS[type(entry)]} and no object in braces: {ASKED}")
    return entry


def _text_under(key: str, entry: Mapping[str, Any], place: str) -> str:
    """Look up the text under a key, without white space around it."""
    found: Any = entry
    for name in [key] if key in entry else key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            raise UserError(f"{place} lacks the key '{key}': it has {_listed(entry)}; write one of these in columns.")
        found = found[name]
    if not isinstance(found, str | None):
        raise UserError(
            f"{place} has {KINDS[type(found)]} under '{key}' where text is read: write another key in columns, or text "
            "in quotes there."
        )
    return _encodable(found or "", key, place).strip()


def _encodable(text: str, key: str, place: str) -> str:
    """Refuse text with a lone surrogate, which JSON can write and UTF-8 can't."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise UserError(
            f"{place} has half of a character ({half}) under '{key}': write both halves, or the character itself."
        ) from None
    return text


def _listed(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"'{key}'" for key in _keys(entry)) or "none"


def _keys(entry: Mapping[str, Any]) -> Iterator[str]:
    """List the keys of values that are no objects, with dots between those that lead to them."""
    pending = list(entry.items())[::-1]
    while pending:
        key, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [(f"{key}.{name}", inner) for name, inner in value.items()][::-1]
        else:
            yield key
