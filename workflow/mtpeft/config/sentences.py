"""Turn what is wrong with a configuration into sentences for its author."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, as the end of a sentence; empty when none is alike."""
    matches = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def listed(words: Iterable[Any]) -> str:
    """Words in quotes, joined with commas."""
    return ", ".join(f"'{word}'" for word in words) or "none"


def sentence(error: dict[str, Any], root: type[BaseModel]) -> str:
    """One sentence for one error of pydantic: the key first, then what is wrong, then what to write."""
    location = [part for part in error["loc"] if part != "[key]"]
    key = dotted(location, root)
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        known = known_keys(location[:-1], root)
        suggestion = nearest(str(location[-1]), known) or f"; known keys here are {listed(known)}."
        return f"'{key}' is not a key of the configuration{suggestion}"
    if kind == "missing":
        return f"'{key}' is missing; every entry there must have it."
    if kind == "union_tag_not_found":
        return f"'{key}' has no 'tuner'; write which method it is, one of {error['ctx']['discriminator']}."
    if kind == "union_tag_invalid":
        known = error["ctx"]["expected_tags"]
        return f"'{key}.tuner' is '{error['ctx']['tag']}', which is no method; write one of {known}."
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"'{key}' is {given!r}, but {message.replace('input should', 'it should')}."


def dotted(location: Sequence[Any], root: type[BaseModel]) -> str:
    """Path of a key as it stands in the file: without the names that unions add."""
    parts = [str(part) for part in location]
    if len(parts) > 2 and parts[0] == "methods":
        del parts[2]
    return ".".join(
        part for part in parts if part not in ("float", "constrained-float") and not part.startswith("dict[")
    )


def known_keys(location: Sequence[Any], root: type[BaseModel]) -> list[str]:
    """Keys that may stand at a place of the configuration."""
    schema = root.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        node = _inner(node, str(part), schema)
    return sorted(_resolved(node, schema).get("properties", {}))


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _inner(node: dict[str, Any], part: str, schema: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, schema)
    for option in node.get("anyOf", []):
        if "$ref" in option:
            node = _resolved(option, schema)
    mapping = node.get("discriminator", {}).get("mapping", {})
    if part in mapping:
        return _resolved({"$ref": mapping[part]}, schema)
    if part in node.get("properties", {}):
        return node["properties"][part]
    extra = node.get("additionalProperties", {})
    return extra if isinstance(extra, dict) else {}
