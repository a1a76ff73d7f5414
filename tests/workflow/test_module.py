"""The workflow as a module of another Snakefile, as the catalogue of workflows proposes it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtpeft.config.load import DEFAULT_FILE, merge
from mtpeft.config.yaml_file import read_yaml
from support.sweep import ROOT, STUDY, copy, environment

CALLER = f"""
configfile: "mine.yaml"

module mtpeft:
    snakefile:
        "{ROOT}/Snakefile"
    config:
        config

use rule * from mtpeft as mtpeft_*

rule count:
    input:
        "results/config/tables/budgets/summary.csv",
    output:
        "rows.txt",
    default_target: True
    shell:
        "wc -l < {{input}} > {{output}}"
"""


@pytest.mark.sweep
def test_another_snakefile_uses_the_rules_and_gets_the_results_into_its_folder(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "caller")
    study = merge(read_yaml(DEFAULT_FILE), read_yaml(STUDY))
    (folder / "mine.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    (folder / "Snakefile").write_text(CALLER, encoding="utf-8")
    assert not (folder / "results/config").exists()

    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int((folder / "rows.txt").read_text()) > 5
    assert (folder / "results/config/tables/budgets/summary.csv").exists()
    assert "train" not in [line.split()[1] for line in done.stderr.splitlines() if line.startswith("rule mtpeft_")]
