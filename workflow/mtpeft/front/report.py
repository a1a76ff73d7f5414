"""Snakemake's report of a study file that was run: figures, captions and run times in one file."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from mtpeft.config.study_file import study_name
from mtpeft.front.snakemake import snakemake_command
from mtpeft.front.study_folders import RESULTS

REPORT = "report.zip"


def write_report(overlays: Sequence[Path]) -> tuple[int, Path]:
    """Have Snakemake write the report; returns its exit code, and where the report is."""
    report = RESULTS / study_name(overlays) / REPORT
    command = snakemake_command(overlays, ["--report", str(report)])
    return subprocess.run(command[:-1], check=False).returncode, report
