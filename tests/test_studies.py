"""The studies that come with the project: valid, and planned by Snakemake before anything of theirs is there."""

import re
from pathlib import Path

import pytest

from mtpeft.config.load import load
from mtpeft.config.studies import all_cells
from sweep_material import ROOT
from test_readme import mtpeft

STUDIES = sorted((ROOT / "workflow/studies").glob("*.yaml"))
OWN_TEXT = ("text.sw", "text.en")


@pytest.mark.parametrize("study", STUDIES, ids=lambda file: file.stem)
def test_a_study_is_planned(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in OWN_TEXT:
        Path(name).write_text("A line of text.\n", encoding="utf-8")
    cells = len(all_cells(load([study])))
    done = mtpeft(tmp_path, "plan", "--configfile", str(study))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"all, each once +{cells} ", done.stdout)
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith(".")) == sorted(OWN_TEXT)


@pytest.mark.parametrize("name", ["paper", "nllb-lowres", "own-data"])
def test_every_study_of_large_models_fetches_them_by_their_commit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / f"workflow/studies/{name}.yaml").read_text("utf-8")
    hubs = re.findall(r"hub: (\S+?)[,}]", text)
    assert hubs
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", hub) for hub in hubs)
