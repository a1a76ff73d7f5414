"""Catalogues of UI strings inside a wheel, JSON or gettext: messages by language and key, which aligns languages."""

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import UserError

if TYPE_CHECKING:
    import polib

Messages = dict[str, str]
"""The messages of one language by their keys."""

CONTEXT_END = "\x04"
"""Separates context and message in a key, as in gettext's own .mo files."""
LANGUAGE = r"(?P<language>[A-Za-z]{2,3}(?:[-_@][A-Za-z0-9]+)*)"
"""Expression for language tags such as es, pt-BR, sr-Latn, zh_Hans or ca@valencia."""
WILDCARDS = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "{language}": LANGUAGE}
"""Wildcards of a pattern of paths, and the expression that each stands for."""


def read_catalogues(wheel: zipfile.ZipFile, *, members: str, form: str) -> dict[str, Messages]:
    """Read the messages of every language whose members match the pattern, by language and key.

    Members are read in memory and never unpacked; one with an absolute name or with ``..`` is ignored.
    The messages of gettext's source language are the message ids, wherever its own catalogue has no text for them.
    """
    pattern = _pattern(members)
    catalogues: dict[str, Messages] = {}
    for name in sorted(wheel.namelist()):
        match = pattern.fullmatch(name)
        if match is None or not _is_inside(name):
            continue
        start, end = match.span("language")
        prefix = f"{name[:start]}{{language}}{name[end:]}"
        messages = catalogues.setdefault(match["language"], {})
        translated, message_ids = _parse(wheel.read(name), form=form, prefix=prefix, name=name)
        messages.update(translated)
        if message_ids:
            catalogues["en"] = {**message_ids, **catalogues.get("en", {})}
    return {language: messages for language, messages in catalogues.items() if messages}


def json_messages(node: Any, prefix: str) -> Messages:
    """Collect the strings of a nested JSON object, keyed by the names on the way to them."""
    return dict(_leaves(node, prefix))


def gettext_messages(text: str, prefix: str) -> tuple[Messages, Messages]:
    """Read the translations of a .po file and the message ids of all its entries, both by key.

    Fuzzy, obsolete and empty translations are left out. Of a plural entry, the singular is taken with the first form
    and the plural with the last; the only form of a language without plural is taken with the plural.
    """
    import polib

    # The line feed keeps polib from taking the text for the name of a file.
    entries = [entry for entry in polib.pofile("\n" + text) if not entry.obsolete]
    translated: Messages = {}
    message_ids: Messages = {}
    for entry in entries:
        for message_id, translation in _forms(entry):
            key = f"{prefix}:{entry.msgctxt or ''}{CONTEXT_END}{message_id}"
            message_ids.setdefault(key, message_id)
            if translation and not entry.fuzzy:
                translated.setdefault(key, translation)
    return translated, message_ids


CATALOGUES: dict[str, Callable[[str, str], tuple[Messages, Messages]]] = {
    "json": lambda text, prefix: (json_messages(json.loads(text), prefix), {}),
    "gettext": gettext_messages,
}
"""Formats of catalogues: each function reads a text, and puts a prefix before the keys of the messages."""


def _forms(entry: "polib.POEntry") -> list[tuple[str, str]]:
    """List message ids with their translations, those of a plural entry in two forms."""
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    forms: Mapping[int, str] = entry.msgstr_plural
    last = forms[max(forms)] if forms else ""
    singular = forms[0] if len(forms) > 1 else ""
    return [(entry.msgid, singular), (entry.msgid_plural, last)]


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for name, child in node.items():
            yield from _leaves(child, f"{path}:{name}")


def _pattern(members: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*|\{language\})", members)
    if pieces.count("{language}") != 1:
        raise UserError(f"corpora.*.wheels.*.members is '{members}': write {{language}} once, where the files differ.")
    return re.compile("".join(WILDCARDS.get(piece, re.escape(piece)) for piece in pieces))


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def _parse(content: bytes, *, form: str, prefix: str, name: str) -> tuple[Messages, Messages]:
    try:
        text = content.decode("utf-8-sig")
        return CATALOGUES[form](text, prefix)
    except (ValueError, OSError):
        raise UserError(
            f"{name} is not a {form} catalogue in UTF-8: correct format or members of its wheel in corpora.*.wheels."
        ) from None
