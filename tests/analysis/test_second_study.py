"""Two study files in one folder, through the real Snakemake: neither makes the work of the other stale, or loses it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtpeft.config.load import merge
from support.sweep import STUDY, copy, planned, run, snakemake

pytestmark = [pytest.mark.sweep, pytest.mark.slow]

FEWER = {
    "studies": {
        "budgets": {"methods": ["lora", "none"]},
        **dict.fromkeys(("languages", "models", "data_sizes")),
    }
}
ANOTHER_RATE = {"methods": {"lora": {"learning_rate": 0.001}}}


def write_second(folder: Path, name: str, *overlays: dict[str, Any]) -> Path:
    """A study file of its own, with the labels of the small study."""
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    for overlay in overlays:
        study = merge(study, overlay)
    (folder / name).write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return folder / name


def files_of(folder: Path) -> dict[str, bytes]:
    """All that the first study has made."""
    found = (file for name in ("data", "results") for file in (folder / name).rglob("*") if file.is_file())
    return {str(file): file.read_bytes() for file in found if file.name != ".sweep"}


def changed(before: dict[str, bytes]) -> list[str]:
    """Files that were there and are not what they were."""
    return [file for file, content in before.items() if not Path(file).exists() or Path(file).read_bytes() != content]


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return copy(finished, tmp_path / "run")


def test_a_second_study_with_the_same_labels_keeps_its_cells_beside_those_of_the_first(folder: Path) -> None:
    before = files_of(folder)
    second = write_second(folder, "other.yaml", FEWER, ANOTHER_RATE)
    code, said = run(folder, study=second.name)
    assert code == 0, said[-5000:]
    assert changed(before) == []
    assert planned(folder) == {}
    # The untouched model is the same to both, and so are the text and the base models.
    assert len(list((folder / "results/cells/small/es-en/n200/lora/b5").iterdir())) == 2
    assert len(list((folder / "results/cells/small/es-en/any/none/any").iterdir())) == 1
    for study in (STUDY.stem, "other"):
        assert (folder / f"results/{study}/figures/budgets.pdf").stat().st_size > 1000
    again = snakemake(folder, "--cores", "1", "--dry-run", study=second.name)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize("study", ["other.yaml", STUDY.name], ids=["second study", "the study itself"])
def test_a_study_that_fails_leaves_tables_and_figures_of_one_state(folder: Path, study: str) -> None:
    before = files_of(folder)
    write_second(folder, study, FEWER, ANOTHER_RATE)
    code, said = run(folder, study=study, MTPEFT_SECONDS="0.01")
    assert code != 0
    results = folder / "results" / Path(study).stem
    assert "1 of 2 cells" in (results / "figures/budgets.svg").read_text(encoding="utf-8")
    for table in (results / "scores.csv", results / "tables/budgets/scores.csv"):
        rows = table.read_text(encoding="utf-8").splitlines()
        assert [row.count(",missing,") for row in rows[1:]] in ([0, 1], [1, 0])
    if study == STUDY.name:
        assert "1 finished cell(s) are made anew" in said
        assert all(f"results/{STUDY.stem}/" in file for file in changed(before))
    else:
        assert changed(before) == []
        assert planned(folder) == {}
