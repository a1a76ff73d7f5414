"""The base type of all sections of config.yaml, in whatever folder the options of a section are declared."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping with known keys; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def plain(section: BaseModel) -> dict[str, Any]:
    """A section as JSON has it."""
    return json.loads(section.model_dump_json())
