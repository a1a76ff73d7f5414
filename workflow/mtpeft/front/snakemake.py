"""How Snakemake is called."""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROFILE = ROOT / "workflow" / "profiles" / "local"


def snakemake_command(overlays: Sequence[Path], options: Sequence[str]) -> list[str]:
    """The command up to its targets: this project's Snakefile and profile, overlays in their order."""
    files = ["--configfile", *map(str, overlays)] if overlays else []
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    return [*program, "--workflow-profile", str(PROFILE), *files, *options, "--"]
