"""Messages about the form of a configuration: unknown keys, wrong types, impossible numbers, entries that stand twice.

Each is one sentence, which names the key, says what is wrong with it, and what to write instead.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from mtpeft.config.learning_rates import RATE, RATES, SEARCH
from mtpeft.core.value_types import PATTERNS
from mtpeft.core.wording import did_you_mean, listed
from mtpeft.methods.peft.refused import REFUSED

Error = Mapping[str, Any]

WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list in brackets, such as [a, b]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "literal_error": "{expected}",
    "two_forms": "either 'search' or rates by size, and leave the other empty (~)",
}
"""Words for values that are valid, by the type of pydantic's error."""
KEY = "[key]"
"""Part of the location that pydantic gives for an error in a key of a mapping."""
LONGEST_SHOWN = 80
"""Most characters of a value that a sentence quotes."""
TAGS = {"methods": ("method", "method"), "findings": ("claim", "claim")}
"""Key that says of which kind an entry of a section is, and the word for the kind."""


def sentences(errors: Iterable[Error], root: type[BaseModel]) -> list[str]:
    """Write one sentence for each error of pydantic."""
    given = list(errors)
    meant = [error for error in given if not _is_of_another_form(error)] or given
    return list(dict.fromkeys(_sentence(error, root) for error in meant))


def _is_of_another_form(error: Error) -> bool:
    """Return whether an error is about the number that a column could have been, where a text was meant."""
    location = error["loc"]
    return len(location) > 0 and location[-1] == "int" and "columns" in location


def _sentence(error: Error, root: type[BaseModel]) -> str:
    location, kind, given = error["loc"], error["type"], error.get("input")
    is_bad_key = kind == "string_pattern_mismatch" and given == location[-1]
    if KEY in location or kind == "invalid_key" or is_bad_key:
        return _key_sentence(location, kind, error)
    key, context = dotted(location), error.get("ctx", {})
    if kind == "extra_forbidden" or (kind == "string_type" and isinstance(given, Mapping)):
        known = known_keys(location[:-1], root)
        return f"'{key}' is not a key of the configuration{did_you_mean(location[-1], known) or _known(known)}"
    if kind == "missing":
        return f"'{key}' is missing; write it, since it has no default."
    if kind == "union_tag_not_found":
        tag, noun = TAGS[location[0]]
        return f"'{key}.{tag}' is missing; write which {noun} it is: {listed(_tags(location, root))}."
    if kind == "union_tag_invalid":
        given, known = context["tag"], _tags(location, root)
        tag, noun = TAGS[location[0]]
        if given in REFUSED:
            return f"'{key}.{tag}' is '{given}', which {REFUSED[given]}."
        return (
            f"'{key}.{tag}' is '{given}', which is no {noun}{did_you_mean(given, known) or f'; write {listed(known)}.'}"
        )
    if kind == "refused":
        return f"'{key}' is {_shown(given)}, which {context['reason']}."
    if kind == "too_short":
        return f"'{key}' has too few entries ({context['actual_length']}); write at least {context['min_length']}."
    if kind == "too_long":
        return f"'{key}' has too many entries ({context['actual_length']}); write at most {context['max_length']}."
    return f"'{key}' is {_shown(given)}; write {_wanted(kind, given, context)}."


def _key_sentence(location: Sequence[Any], kind: str, error: Error) -> str:
    place = [part for part in location if part != KEY]
    owner = f"'{dotted(place[:-1])}'" if place[:-1] else "The configuration"
    if kind == "string_pattern_mismatch":
        return f"{owner} has the key '{place[-1]}'; write {PATTERNS[error['ctx']['pattern']]}."
    return f"{owner} has a key that YAML reads as {_shown(error.get('input', place[-1]))}; put the key in quotes."


def _known(keys: Iterable[str]) -> str:
    """Name the known keys, as the end of a sentence."""
    return f"; known keys here are {listed(keys)}."


def _shown(given: Any) -> str:
    """Quote a value as its author wrote it, cut where it is long."""
    if given is None:
        return "empty"
    if isinstance(given, bool):
        return str(given).lower()
    kinds = {Mapping: "a mapping", list: "a list"}
    shown = repr(given) if len(repr(given)) <= LONGEST_SHOWN else f"{repr(given)[:LONGEST_SHOWN]}…"
    return next((words for kind, words in kinds.items() if isinstance(given, kind)), shown)


def _wanted(kind: str, given: Any, context: Mapping[str, Any]) -> str:
    if kind == "string_type":
        return "it in quotes, so that YAML reads it as text" if isinstance(given, bool | int | float) else "text"
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    return WANTED[kind].format(**context)


def dotted(location: Sequence[Any]) -> str:
    """Return the path of a key as its author knows it, without the names that pydantic adds for unions."""
    parts = [str(part) for part in location]
    if len(parts) > 2 and parts[0] in TAGS:
        del parts[2]
    if parts[-1] == "str" and "columns" in parts[:-2]:
        del parts[-1]
    return ".".join(part for part in parts if part not in (RATE, RATES, SEARCH))


def known_keys(location: Sequence[Any], root: type[BaseModel]) -> list[str]:
    """Return the keys that a section at a place of the configuration may have."""
    return sorted(_node(location, root).get("properties", {}))


def _tags(location: Sequence[Any], root: type[BaseModel]) -> list[str]:
    return list(_node(location, root)["discriminator"]["mapping"])


def _node(location: Sequence[Any], root: type[BaseModel]) -> dict[str, Any]:
    schema = root.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        node = _inner(node, str(part), schema)
    return _resolved(node, schema)


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow the references of a JSON schema, also of those parts that may be left empty."""
    while True:
        references = [option for option in (node, *node.get("anyOf", [])) if "$ref" in option]
        if not references:
            return node
        node = schema["$defs"][references[0]["$ref"].rsplit("/", 1)[1]]


def _inner(node: dict[str, Any], part: str, schema: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, schema)
    mapping = node.get("discriminator", {}).get("mapping", {})
    if part in mapping:
        return {"$ref": mapping[part]}
    if part in node.get("properties", {}):
        return node["properties"][part]
    if part.isdigit() and "items" in node:
        return node["items"]
    extra = node.get("additionalProperties", {})
    return extra if isinstance(extra, dict) else {}


def number_mistakes(given: Any, read: Any, key: str = "") -> Iterator[str]:
    """Find `true` and `false` where a number is wanted, which pydantic takes for 1 and 0, and absurdly large numbers.

    Args:
        given: a part of the configuration as it was written.
        read: the same part with its types.
        key: of the part.
    """
    if isinstance(read, list) and len(read) == 1 and not isinstance(given, list):
        read = read[0]  # its only entry was written without brackets
    if isinstance(read, int | float) and not isinstance(read, bool):
        if isinstance(given, bool):
            yield f"'{key}' is {str(given).lower()}; write a number."
        elif abs(read) > LARGEST:
            yield f"'{key}' is {given}; write a number of at most {LARGEST:,}."
    for name, part in _parts(given):
        yield from number_mistakes(part, _part_of(read, name), f"{key}.{name}" if key else str(name))


def _parts(given: Any) -> list[tuple[Any, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    return list(enumerate(given)) if isinstance(given, list | tuple) else []


def _part_of(read: Any, name: Any) -> Any:
    """Return what was read of a part, or None where a type has put it elsewhere."""
    if isinstance(read, BaseModel):
        return getattr(read, str(name), None)
    if isinstance(read, Mapping):
        return read.get(name)
    return read[name] if isinstance(read, Sequence) and isinstance(name, int) and name < len(read) else None


LARGEST = 1_000_000_000
"""No count, seed or other number of a configuration is larger."""


def named_twice(key: str, labels: Sequence[Any]) -> Iterator[str]:
    """Find values that a list has more than once."""
    for label, count in Counter(labels).items():
        if count > 1:
            yield f"'{key}' names '{label}' {'twice' if count == 2 else f'{count} times'}; write it once."
