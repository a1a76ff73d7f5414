"""The name under which tables and figures of a study file lie: `mine` for mine.yaml, `config` for config.yaml alone.

Several files, one laid over the other, are named together: `quick+mine`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mtpeft.cells import JOIN, LABEL_PATTERN

DEFAULT_FILE = Path(__file__).resolve().parents[3] / "config.yaml"
ALONE = "config"
TAKEN = ("cells", "models", "rates", "failed", "figures", "tables", "preview")
"""Folders of results that belong to all study files, and those that earlier versions wrote."""


def study_name(overlays: Sequence[Path | str]) -> str:
    """The name of overlays over config.yaml, in their order, safe in a path."""
    return JOIN.join(map(_name, without_default(overlays))) or ALONE


def without_default(overlays: Sequence[Path | str]) -> list[Path | str]:
    """The same without the project's config.yaml, which all are laid over anyway."""
    return [overlay for overlay in overlays if Path(overlay).resolve() != DEFAULT_FILE]


def _name(overlay: Path | str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(overlay).stem)
    safe = name if re.fullmatch(LABEL_PATTERN, name) else f"study{name}"
    return f"{safe}_study" if safe in TAKEN else safe
