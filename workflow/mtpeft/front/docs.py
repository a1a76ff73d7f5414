"""The generated parts of the pages in `workflow/docs/`: tables of methods, of configuration keys and of commands.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. `python -m mtpeft docs` writes all of
them again, and a test compares them with what the registries say.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.config.schema import configuration_type
from mtpeft.core.files import PROJECT, write_text
from mtpeft.core.text_tables import table
from mtpeft.front.commands import COMMANDS, Command
from mtpeft.methods import METHODS
from mtpeft.methods.base import Method
from mtpeft.methods.peft.refused import REFUSED
from mtpeft.steps.step import STEPS

DOCS = PROJECT / "workflow" / "docs"
PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
NOTHING = "–"

SIZES = {"budgeted": "budget", "fixed": "one size", "full": "all parameters", "none": "none"}
"""The kinds of sizes of methods, in the words of the pages."""

CAVEATS: dict[str, str] = {
    "bitfit": "It trains nothing in T5 and mT5, which have no biases.",
    "context_bitfit": "It trains nothing in T5 and mT5, which have no biases.",
    "prefix": "The network, if there is one, counts in the budget and is not stored.",
    "sequence_prefix": "It takes at most half of the positions; a target that has no room behind it is refused.",
    "prompt": "It takes at most half of the positions; a longer source is truncated before its last token.",
    "p_tuning": "The network counts in the budget and is not stored.",
    "dept": "All rows of the update count, so `max_length` should be near the longest source.",
    "ADALORA": "The budget is what is left at the end; training starts with `start` times as many ranks.",
    **dict.fromkeys(("DELORA", "GLORA", "SHIRA", "TINYLORA"), "It stores frozen numbers as well."),
    **dict.fromkeys(("VERA", "PVERA", "UNILORA", "VBLORA"), "All layers share one size."),
    "HRA": "Reflections are added in pairs, since a pair changes nothing at the start.",
    "GRALORA": "The rank grows in steps of two.",
    "RANDLORA": "All layers share one size; its steps are coarse above a few per cent of the parameters.",
    "FROD": "All layers share one size; layers with the same role must have the same number of inputs.",
    "staged": "Two stages may not train the same module.",
    "staged_full": "Two stages may not train the same module.",
}
"""Facts that a user should know before choosing a method, where no attribute of the registry says them."""


def write_docs() -> list[Path]:
    """Write the generated parts of all pages; returns the pages that changed."""
    changed = []
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            write_text(page, after)
            changed.append(page)
    return changed


def generated(page: str) -> str:
    """The text of a page with its generated parts as they should be now."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", page)


def anchor(heading: str) -> str:
    """The anchor that a heading has on a page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def methods_part() -> str:
    """One row per method of the registry."""
    header = (
        "method",
        "where",
        "size",
        "mergeable",
        "starts as the base",
        "quantised base",
        "caveats",
        "paper",
    )
    return table(header, (_method_row(name, method) for name, method in METHODS.items() if not method.module))


def _method_row(name: str, method: Method) -> Sequence[str]:
    size = SIZES[method.trains] + (f", by {method.size_name}" if method.size_name else "")
    on_a_base = method.trains in ("budgeted", "fixed")
    chosen = (method.mergeable, method.starts_as_base, not (method.trains_base or method.copies_weights))
    words = [("yes" if is_so else "no") if on_a_base else NOTHING for is_so in chosen]
    optional = "With `by_language`, each" if "by_language" in method.options.model_fields else "Each"
    languages = f"{optional} language of a side has its own parameters." if method.per_language else ""
    caveats = " ".join(filter(None, (CAVEATS.get(name), languages)))
    return f"`{name}`", method.where or "nothing", size, *words, caveats, method.paper


def method_keys_part() -> str:
    """The keys of each method besides those that all methods have; a key that several share is one row."""
    schema = _schema()
    key, entries = _entries(_inner(schema["properties"]["methods"]), schema["$defs"])
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, entry in entries.items():
        for own, of in entry["properties"].items():
            if own not in (key, *_common_keys(entries)):
                row = _key_row(own, of, required=own in entry["required"])
                shared.setdefault(row, []).append(f"`{name}`")
    rows = sorted((own, ", ".join(names), *row) for (own, *row), names in shared.items())
    return table(("key", "methods", *KEY_HEADER[1:]), rows)


def refused_part() -> str:
    """Tuners of peft that are refused."""
    return table(("tuner of peft", "why it is refused, and what to write"), ((f"`{n}`", w) for n, w in REFUSED.items()))


KEY_HEADER = ("key", "value", "default", "what it does")
CATALOGUES = ("models", "pairs", "sizes", "methods", "budgets")
Json = Mapping[str, Any]


def _schema() -> dict[str, Any]:
    return configuration_type().model_json_schema()


def _entries(union: Json, kinds: Json) -> tuple[str, dict[str, Json]]:
    """The key by which the entries of a section are told apart, and the schema of each kind of entry."""
    key = union["discriminator"]["propertyName"]
    entries = [kinds[_name_of(kind)] for kind in union["oneOf"]]
    return key, {entry["properties"][key]["const"]: entry for entry in entries}


def _common_keys(entries: Mapping[str, Json]) -> list[str]:
    """Keys of every method that trains something."""
    trained = [entry["properties"] for entry in entries.values() if "learning_rate" in entry["properties"]]
    return [key for key in trained[0] if all(key in other for other in trained)]


def configuration_part() -> str:
    """Every section of the configuration with its keys."""
    schema = _schema()
    known: dict[str, str] = {}
    sections = (_section(name, of, schema["$defs"], known) for name, of in schema["properties"].items())
    contents = "Sections: " + ", ".join(f"[`{name}`](#{anchor(name)})" for name in schema["properties"]) + "."
    return "\n\n".join([contents, *(block for section in sections for block in section)])


def _section(path: str, of: Json, kinds: Json, known: dict[str, str]) -> Iterator[str]:
    """Heading, sentence and table of keys of a section, then the same of the sections inside of it."""
    inner = _inner(of)
    yield f"{'###' if '.' in path else '##'} `{path}`"
    if "discriminator" in inner:
        yield from _methods(inner, kinds) if path == "methods" else _told_apart(inner, kinds)
        return
    if "$ref" not in inner:
        yield _cell(of.get("description") or f"Each label stands for one value: {_value(inner)}.")
        if of.get("type") != "object":
            yield f"Value: {_value(of)}. Default: {_default(of)}."
        return
    kind = kinds[_name_of(inner)]
    inner_of = {own: _inner(schema) for own, schema in kind["properties"].items()}
    references = {own: _name_of(ref) for own, ref in inner_of.items() if "$ref" in ref}
    below = {own: name for own, name in references.items() if "properties" in kinds[name]}
    new = {name: own for own, name in reversed(below.items()) if name not in known}
    known |= {name: f"{path}.{own}" for name, own in new.items()}
    yield _cell(kind.get("description", ""))
    yield _keys_table(kind, known)
    for own in sorted(new.values(), key=list(inner_of).index):
        yield from _section(f"{path}.{own}", kind["properties"][own], kinds, known)


def _methods(union: Json, kinds: Json) -> Iterator[str]:
    """The keys that all methods share."""
    key, entries = _entries(union, kinds)
    trained = next(entry for entry in entries.values() if "learning_rate" in entry["properties"])
    common = {own: trained["properties"][own] for own in _common_keys(entries) if own != key}
    yield (
        f"Each entry names its method under `{key}`; [the page of methods](methods.md#keys-of-each-method) lists the "
        "keys of each. Every method that trains something has these:"
    )
    yield _keys_table({"properties": common, "required": trained["required"]})


def _told_apart(union: Json, kinds: Json) -> Iterator[str]:
    """The kinds of entry of a section, and the keys of all of them."""
    key, entries = _entries(union, kinds)
    own_keys = {name: [own for own in entry["properties"] if own != key] for name, entry in entries.items()}
    keys = {own: entries[name]["properties"][own] for name in reversed(entries) for own in own_keys[name]}
    required = [own for own in keys if any(own in entry["required"] for entry in entries.values())]
    yield f"Each entry names its kind under `{key}`."
    rows = [
        (f"`{name}`", _cell(entry["description"]), ", ".join(f"`{own}`" for own in own_keys[name]))
        for name, entry in entries.items()
    ]
    yield table((key, "what it says", "its keys"), rows)
    yield _keys_table({"properties": {own: keys[own] for own in sorted(keys)}, "required": required})


def _keys_table(kind: Json, known: Mapping[str, str] | None = None) -> str:
    """The keys of a mapping; `known` has the paths of the kinds that have a heading of their own."""
    required = kind.get("required", ())
    rows = [_key_row(own, of, known, required=own in required) for own, of in kind["properties"].items()]
    if isinstance(kind.get("additionalProperties"), Mapping):
        rows.append(("*a language code*", _value(kind["additionalProperties"]), NOTHING, "The file of that language."))
    return table(KEY_HEADER, rows)


def _key_row(key: str, schema: Json, known: Mapping[str, str] | None = None, *, required: bool) -> tuple[str, ...]:
    inner = _inner(schema)
    value, default = _value(schema), _default(schema)
    if "$ref" in inner and (place := (known or {}).get(_name_of(inner))):
        words = {"array": "list of keys", "object": "label → keys"}.get(schema.get("type", ""), "keys")
        value, default = f"[{words}](#{anchor(place)})", NOTHING
    told = schema.get("description") or (f"Labels of `{key}`." if key in CATALOGUES else "")
    return f"`{key}`", value, "required" if required else default, _cell(told)


def _inner(schema: Json) -> Json:
    """The schema inside of a section, a mapping from labels, a list or an optional value."""
    if isinstance(schema.get("additionalProperties"), Mapping):
        return schema["additionalProperties"]
    if "patternProperties" in schema:
        return next(iter(schema["patternProperties"].values()))
    if "items" in schema:
        return schema["items"]
    chosen = [other for other in schema.get("anyOf", ()) if other.get("type") != "null"]
    references = [other for other in chosen if "$ref" in other] or chosen[:1]
    return _inner(references[0]) if references and "$ref" not in references[0] else (*references, schema)[0]


def _name_of(reference: Json) -> str:
    return reference["$ref"].rpartition("/")[2]


WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def _value(schema: Json) -> str:
    """The values that a key may have, in words."""
    if "$ref" in schema:
        return "`search: [rates]`" if _name_of(schema) == "RateSearch" else "keys"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _or([f"`{value}`" for value in schema["enum"]])
    others = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if others:
        return _or(list(dict.fromkeys(_value(other) for other in others if other.get("type") != "null")))
    if schema.get("type") == "array":
        return f"list of {_value(schema['items'])}"
    if schema.get("type") == "object":
        return f"label → {_value(_inner(schema))}"
    return WORDS.get(schema.get("type", ""), "text")


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _default(schema: Json) -> str:
    default = schema.get("default")
    return NOTHING if default in (None, [], {}, "") else f"`{json.dumps(default)}`".replace('"', "")


def _cell(text: str) -> str:
    """Text that can stand in one line of a page and in a table."""
    words = " ".join(text.split()).replace("|", "\\|")
    return re.sub(r"<([\w ]+)>", r"&lt;\1&gt;", words)


def commands_part() -> str:
    """The commands that people type, with their options."""
    rows = (
        (f"`{own.name}`", _cell(own.summary), _cell(", ".join(map("`{}`".format, _options(own))))) for own in COMMANDS
    )
    return table(("command", "what it does", "options"), rows)


def _options(command: Command) -> list[str]:
    """The options of a command, by their long names."""
    parser = argparse.ArgumentParser(add_help=False)
    command.add_options(parser)
    named = [option for option in parser.format_usage().split() if option.startswith(("[--", "--"))]
    own = [option.strip("[]()|") for option in named]
    return [*(["--configfile"] if command.reads_configuration else []), *own]


def steps_part() -> str:
    """The steps of the workflow, which Snakemake calls."""
    return table(("step", "what it does"), ((f"`{name}`", _cell(STEPS[name].summary)) for name in STEPS))


def make_part() -> str:
    """The targets of the Makefile."""
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?m)^([a-z-]+):.*?## (.+)$", text)
    return table(("command", "what it does"), ((f"`make {name}`", _cell(summary)) for name, summary in targets))


def advice_part() -> str:
    """An example of advice, by the results that come with the project."""
    from mtpeft.front.advise.page import example_part

    return example_part()


def advice_errors_part() -> str:
    """How far the gains are off that advice predicts."""
    from mtpeft.front.advise.page import errors_part

    return errors_part()


def advice_costs_part() -> str:
    """How far the costs are off that advice tells."""
    from mtpeft.front.advise.page import costs_part

    return costs_part()


PARTS: dict[str, Callable[[], str]] = {
    "advice": advice_part,
    "advice errors": advice_errors_part,
    "advice costs": advice_costs_part,
    "methods": methods_part,
    "method keys": method_keys_part,
    "refused": refused_part,
    "configuration": configuration_part,
    "commands": commands_part,
    "steps": steps_part,
    "make": make_part,
}
"""The functions that write the text between the markers of each name."""
