"""The name under which tables and figures of a study file lie: `mine` for mine.yaml, `config` for config.yaml alone.

Several files, one laid over the other, are named together: `quick+mine`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mtpeft.cells import JOIN, LABEL_PATTERN

ALONE = "config"
TAKEN = ("cells", "models", "rates", "failed")
"""Folders of results that belong to all study files."""


def study_name(overlays: Sequence[Path | str]) -> str:
    """The name of overlays over config.yaml, in their order, safe in a path."""
    return JOIN.join(map(_name, overlays)) or ALONE


def _name(overlay: Path | str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(overlay).stem)
    safe = name if re.fullmatch(LABEL_PATTERN, name) else f"study{name}"
    return f"{safe}_study" if safe in TAKEN else safe
