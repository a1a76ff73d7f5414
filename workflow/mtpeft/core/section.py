"""The base type of the sections of config.yaml, and `later`, the one way to add a key to a section that is in use.

The params of a job hold the sections that it reads, with all their defaults. A key that is added with a plain default
therefore changes the params, and with them the digest, of every job that reads its section, and all their results would
be made again. `later` adds a key whose default is left out of params.
"""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping of which all keys are known; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def later(
    default: Any, *, description: str | None = None, compared: Callable[[Any], Any] = lambda value: value, **limits: Any
) -> Any:
    """Declare a key that is added to a section after results were made: params leave it out where it has its default.

    Readers of params parse them with the type of the section, so that the default stands here alone.

    Args:
        default: value under which results are as they were before the key existed.
        description: what the key means, for the schema.
        compared: what of two values is compared, such as `set` where the order of a list means nothing.
        limits: what else pydantic's `Field` takes, such as `ge`.
    """
    usual = compared(default)
    return Field(default=default, description=description, exclude_if=lambda value: compared(value) == usual, **limits)


def plain(section: BaseModel) -> dict[str, Any]:
    """Return a section as params have it: plain values of JSON, without keys of `later` that have their default."""
    return json.loads(section.model_dump_json())
