"""Read YAML files that users write, and refuse what YAML 1.1 would read as something else than it looks like.

PyYAML and Snakemake read YAML 1.1. It keeps the last of two equal keys, takes 010 for 8 and 1:30 for 90, and lets a
short file stand for a structure of any size, by anchors that repeat one another. A message names the file and the line,
and says what to write instead.
"""

import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from mtpeft.core.errors import UserError

MOST_BYTES = 256_000
MOST_LEVELS = 50
MOST_VALUES = 30_000
"""Limits far above any real configuration; some files beyond them take hours to read."""
TEMPLATE = "__use_yte__"
"""Key by which Snakemake takes a file for a template and runs the code in it."""
STANDARD = "tag:yaml.org,2002:"
TAGS = {f"{STANDARD}{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
UNLIKE = {
    "int": (r"[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+", "the number"),
    "float": (r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*", "the number"),
    "timestamp": (r".*", "a date"),
}
"""Patterns of values that YAML reads as something else than they look like, by the type that YAML gives them."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration, which is a YAML file with a mapping of plain values.

    Raises:
        UserError: the file is missing, is no YAML, holds no mapping, or has a value that is not what it looks like.
    """
    content = read_profile(path)
    if TEMPLATE in content:
        raise UserError(
            f"{path} has '{TEMPLATE}', by which Snakemake runs code in it; take it out, write plain values."
        )
    return content


def read_profile(path: Path) -> dict[str, Any]:
    """Read a profile of Snakemake, which may be a template.

    Raises:
        UserError: the file is missing, is no YAML, holds no mapping, or has a value that is not what it looks like.
    """
    text = _text_of(path)
    try:
        content = _CarefulLoader(text, path).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserError(
            f"{path}{f', line {mark.line + 1}' if mark else ''} is not valid YAML: {_said(error)}."
        ) from error
    except ValueError as error:  # such as 0x_
        raise UserError(
            f"{path} holds a number that can't be read ({error}); put it in quotes if it is none."
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold keys and values at its top level, such as 'studies:'.")
    return content


def _text_of(path: Path) -> str:
    """Read the text of an ordinary file of a sensible size.

    Raises:
        UserError: it is missing, is none, is too large, or is not UTF-8.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UserError(f"The configuration file {path} is a folder; name a file in it.")
        if not stat.S_ISREG(found.st_mode):
            raise UserError(
                f"The configuration file {path} is no ordinary file; Snakemake reads it again, so write one."
            )
        if found.st_size > MOST_BYTES:
            raise UserError(
                f"The configuration file {path} has {found.st_size:,} bytes, and a configuration has {MOST_BYTES:,} at "
                "most; name the YAML file of your study."
            )
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"The configuration file {path} can't be read: {os.strerror(error.errno or 0)}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"The configuration file {path}, line {line} is not UTF-8; save it as UTF-8.") from error


def _said(error: yaml.YAMLError) -> str:
    """Return what PyYAML says of a mistake, in one line."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"it has the character U+{error.character:04X}, which YAML does not allow"
    if "\\t" in (said := str(getattr(error, "problem", None) or error)):
        return f"{said}; write spaces instead of tabs"
    if "single document" in str(getattr(error, "context", "")):
        return "it holds several documents; take out the line '---'"
    return said.splitlines()[0]


class _CarefulLoader(yaml.SafeLoader):
    """A loader that refuses values that are not what they look like, and structures without an end."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path
        self._open: list[str | None] = []
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Read a part of the file, and count the values that it stands for."""
        event = self.peek_event()
        if len(self._open) > MOST_LEVELS:
            raise self._refused(event, f"this is nested more than {MOST_LEVELS} levels deep; write it flatter.")
        if self.check_event(yaml.AliasEvent) and event.anchor in self._open:
            raise self._refused(event, f"'*{event.anchor}' stands inside of what it repeats; write it out.")
        self._refuse_tag(event)
        self._open.append(event.anchor)
        node = super().compose_node(parent, index)
        self._open.pop()
        size = self._sizes[id(node)] = self._size_of(node)
        if max(size, len(self._sizes)) > MOST_VALUES:
            raise self._refused(event, f"this stands for more than {MOST_VALUES:,} values; repeat less by anchors.")
        if isinstance(node, yaml.MappingNode):
            self._refuse_repeated_keys(node)
        return node

    def _size_of(self, node: yaml.Node) -> int:
        """Count the values that a part stands for, with all repetitions."""
        if id(node) in self._sizes or isinstance(node, yaml.ScalarNode):
            return self._sizes.get(id(node), 1)
        if isinstance(node, yaml.MappingNode):
            return 1 + sum(self._sizes[id(part)] for pair in node.value for part in pair)
        return 1 + sum(self._sizes[id(part)] for part in node.value)

    def _refuse_repeated_keys(self, node: yaml.MappingNode) -> None:
        """Refuse a key that stands twice in a mapping: YAML would drop the first one without a word."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise self._refused(key, f"'{key.value}' stands twice; join the two.")
                seen.add(key.value)

    def _refuse_tag(self, event: yaml.Event) -> None:
        """Refuse tags, by which YAML makes other objects than plain values."""
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", *TAGS):
            raise self._refused(event, f"the tag '{tag.replace(STANDARD, '!!')}' is not read; write plain values.")

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a part, if it is what it looks like."""
        value = super().construct_object(node, deep)
        pattern, kind = UNLIKE.get(node.tag.removeprefix(STANDARD), ("", ""))
        if pattern and isinstance(node, yaml.ScalarNode) and re.fullmatch(pattern, node.value):
            is_number = kind == "the number"
            read_as, instead = (f"{kind} {value}", "write the number that you mean, or ") if is_number else (kind, "")
            raise self._refused(node, f"YAML reads '{node.value}' as {read_as}; {instead}put it in quotes.")
        return value

    def _refused(self, at: yaml.Event | yaml.Node, sentence: str) -> UserError:
        """Make an error that names the file and the line of a part."""
        return UserError(f"{self.path}, line {at.start_mark.line + 1}: {sentence}")
