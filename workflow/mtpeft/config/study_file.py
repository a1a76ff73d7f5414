"""Names of study files, the overlays over config.yaml; results lie in folders of these names.

The name is `mine` for mine.yaml, `quick+mine` for both of them, and `config` for config.yaml alone.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mtpeft.cells import JOIN, LABEL_PATTERN
from mtpeft.core.files import PROJECT

DEFAULT_FILE = PROJECT.resolve() / "config.yaml"
ALONE = "config"
TAKEN = ("cells", "models", "rates", "failed", "figures", "tables", "preview")
"""Names of folders in `results` that are no study files: those of all study files, and those of earlier versions."""


def study_name(overlays: Sequence[Path | str]) -> str:
    """Return the name of overlays over config.yaml, in their order; it is safe in a path."""
    return JOIN.join(map(_name, without_default(overlays))) or ALONE


def without_default(overlays: Sequence[Path | str]) -> list[Path | str]:
    """Return the overlays without config.yaml, over which all are laid anyway."""
    return [overlay for overlay in overlays if Path(overlay).resolve() != DEFAULT_FILE]


def _name(overlay: Path | str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(overlay).stem)
    safe = name if re.fullmatch(LABEL_PATTERN, name) else f"study{name}"
    return f"{safe}_study" if safe in TAKEN else safe
