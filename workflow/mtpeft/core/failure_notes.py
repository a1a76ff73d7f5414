"""Notes on failed steps, which outlive Snakemake's output and are removed by the step's next success."""

import hashlib
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, write_record

FAILURE = "failed.json"
FAILURES_FOLDER = Path("results/failed")
CELL_STEPS = ("train", "decode", "score")


def note_of(step: str, target: Path) -> Path:
    """File with the reason why a step has failed: in the cell's folder, or in one folder for all other steps."""
    if step in CELL_STEPS:
        return target.parent / FAILURE
    return FAILURES_FOLDER / f"{step}-{hashlib.sha256(str(target).encode()).hexdigest()[:8]}.json"


def leave_note(step: str, target: Path, error: BaseException) -> None:
    """Say why a step failed, and whether the user can mend it; where the disk is full, the log alone has it."""
    reason = f"{error or type(error).__name__}".splitlines()[0]
    note = {"step": step, "target": str(target), "reason": reason, "mistake": isinstance(error, UserError)}
    try:
        write_record(note_of(step, target), note)
    except OSError:
        return


def any_mistake() -> bool:
    """True when a step failed for something that the user can mend."""
    return any(read_record(note)["mistake"] for note in FAILURES_FOLDER.glob("*.json"))
