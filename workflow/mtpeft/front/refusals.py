"""Why SLURM has refused jobs: what `sbatch` said, from Snakemake's log, where a command of many lines follows it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

LOGS = Path(".snakemake/log")
REFUSED = re.compile(
    r"SLURM (?:sbatch failed|job submission failed)[^\n]*?The error message was (?P<said>.*?)"
    r"(?=\n    sbatch call:|\n\[|\nFor further|\nTrying to|\Z)",
    flags=re.DOTALL,
)
"""What the plugin for SLURM says of one job, or of an array of them."""
PREFIX = re.compile(r"^\s*sbatch: (?:error: )?", flags=re.MULTILINE)
WRONG = re.compile(r"invalid|not permitted|not available|violates|exceeds|unrecognized", flags=re.IGNORECASE)
"""What SLURM says where asking again is of no use."""


def refusals(*, since: float) -> list[str]:
    """A sentence for each reason for which SLURM has refused jobs of the Snakemake that began at a time."""
    logs = [file for file in LOGS.glob("*.snakemake.log") if file.stat().st_mtime >= since]
    reasons = dict.fromkeys(reason for file in sorted(logs) for reason in refused_in(_text(file)))
    return [
        f"SLURM refuses jobs: {reason}. Mend what the profile asks for, such as slurm_partition, slurm_account or "
        "runtime, and start again."
        for reason in reasons
    ]


def refused_in(log: str) -> Iterator[str]:
    """What sbatch said of each refused submission, on one line."""
    for found in REFUSED.finditer(log):
        said = PREFIX.sub("", found["said"].strip().removesuffix(".").strip("'"))
        yield "; ".join(line.strip().removesuffix(".") for line in said.splitlines() if line.strip())


def is_mistake(reasons: Iterable[str]) -> bool:
    """Whether the user has to change something before it is of use to ask again."""
    return any(WRONG.search(reason) for reason in reasons)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
