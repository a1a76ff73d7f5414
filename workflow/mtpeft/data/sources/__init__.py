"""The sources of parallel text: each `Source` is an entry in a file or folder of its own."""

from collections.abc import Mapping
from typing import Any

from mtpeft.core.registry import Registry, bring_in
from mtpeft.data.sources.base import Source

SOURCES: Registry[Source] = Registry(Source, "mtpeft.data.sources", word="source")
"""Sources by the key of an entry of `corpora` that names text of them."""


def source_of(params: Mapping[str, Any]) -> Source:
    """Find the source of the text that the params of a step describe, after its modules from outside are brought in."""
    for module in params.get("modules", ()):
        bring_in(module)
    return next(source for name, source in SOURCES.entries.items() if name in params)
