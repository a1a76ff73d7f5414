"""The studies that come with the project: valid, and planned by Snakemake before anything of theirs is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtpeft.config.load import load
from mtpeft.config.methods import search_of
from mtpeft.methods import METHODS
from mtpeft.steps.cells_of_studies import placed_cells
from support.sweep import ROOT, environment

STUDIES = sorted((ROOT / "workflow/studies").glob("*.yaml"))
OWN_TEXT = ("text.sw", "text.en", "memory.tmx")


@pytest.mark.parametrize("study", STUDIES, ids=lambda file: file.stem)
def test_a_study_is_planned(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in OWN_TEXT:
        Path(name).write_text("A line of text.\n", encoding="utf-8")
    cells = len(placed_cells(load([study])))
    where = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(study)]
    command = [sys.executable, "-m", "snakemake", *where, "--dry-run", "--quiet", "rules", "--", "cells"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"(?m)^score +{cells}$", done.stdout + done.stderr)
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith(".")) == sorted(OWN_TEXT)


@pytest.mark.parametrize("name", ["methods", "further-methods"])
def test_a_study_of_methods_tunes_them_with_equal_effort(name: str) -> None:
    configuration = load([ROOT / f"workflow/studies/{name}.yaml"])
    methods = {cell.method for cell in placed_cells(configuration)}
    assert set(configuration.methods) - set(load().methods) <= methods
    trained = [method for method in sorted(methods) if METHODS[configuration.methods[method].method].trains != "none"]
    searches = [sorted(search_of(configuration, method).search) for method in trained]
    assert [[rate / search[0] for rate in search] for search in searches] == [[1, 2, 4]] * len(trained)


@pytest.mark.parametrize("name", ["paper", "nllb-lowres", "own-data", "decoder-only"])
def test_every_study_of_large_models_fetches_them_by_their_commit(name: str) -> None:
    text = (ROOT / f"workflow/studies/{name}.yaml").read_text("utf-8")
    hubs = re.findall(r"(?m)hub: (\S+?)(?:[,}]|$)", text)
    assert hubs
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", hub) for hub in hubs)
