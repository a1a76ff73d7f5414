"""Folders for a model hub: they need nothing of this machine, say where they come from, and arrive as they are."""

import filecmp
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.sweep import copy, environment
from support.uploads import COMMIT, UploadHub, serve

pytestmark = pytest.mark.slow

TOKEN = "hf_of-nobody"
CELLS = {
    "lora": "small/es-en/n200/lora/b5/1",  # it merges
    "adapter": "small/es-en/n200/adapter/b5/1",  # it stays beside its base
}


def _mtpeft(*given: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtpeft", *given]
    return subprocess.run(command, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for a hub of each cell."""
    run, made = copy(finished, tmp_path_factory.mktemp("hub") / "run"), {}
    for name, cell in CELLS.items():
        done = _mtpeft("export", "--cell", cell, "--to", f"for-hub-{name}", "--as", "hub", folder=run)
        assert done.returncode == 0, done.stderr
        made[name] = run / f"for-hub-{name}"
    return made


@pytest.mark.parametrize("name", CELLS)
def test_the_page_says_where_a_model_comes_from(exported: dict[str, Path], finished: Path, name: str) -> None:
    page = (exported[name] / "README.md").read_text(encoding="utf-8")
    front_matter = yaml.safe_load(page.split("---\n")[1])
    assert front_matter["language"] == ["es", "en"]
    assert front_matter["library_name"] == {"lora": "transformers", "adapter": "peft"}[name]
    (index,) = front_matter["model-index"]
    scores = {own["type"]: own["value"] for result in index["results"] for own in result["metrics"]}
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith(("| chrF |", "| BLEU |"))]
    assert {"| chrF": "chrf", "| BLEU": "bleu"}.keys() == {row[0] for row in rows}
    for row in rows:
        score, untouched = float(row[2]), float(row[4])
        low, high = map(float, row[3].split(" to "))
        assert score == scores[{"| chrF": "chrf", "| BLEU": "bleu"}[row[0]]]
        assert low <= score <= high and untouched >= 0
        assert row[5].count("|") == row[5].count("\\|") + 1, "a signature ends no cell of the table"
    assert "- django: BSD-3-Clause" in page
    assert "- wagtail: BSD-3-Clause" in page
    assert str(finished) not in page


@pytest.mark.parametrize("name", CELLS)
def test_a_folder_for_a_hub_translates_elsewhere(exported: dict[str, Path], tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(exported[name], tmp_path / "downloaded")
    (lines,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), flags=re.S)
    done = subprocess.run(
        [sys.executable, "-c", lines.replace("1, 2, 3 …", "Abre la puerta")],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked = subprocess.run(
        [sys.executable, "-m", "mtpeft", "translate", "--cell", CELLS[name]],
        cwd=exported[name].parent,
        env=environment(),
        input="Abre la puerta\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == asked.stdout.strip()


def test_a_folder_arrives_at_the_hub_as_it_is(exported: dict[str, Path], tmp_path: Path) -> None:
    with serve(UploadHub(tmp_path / "hub", TOKEN)) as hub:
        at = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        given = ("upload", "--folder", str(exported["adapter"]), "--repository", "somebody/tuned", "--private")
        done = _mtpeft(*given, folder=tmp_path, **at)
        assert done.returncode == 0, done.stderr
        assert COMMIT in done.stdout
        refused = _mtpeft(*given, folder=tmp_path, **at | {"HF_TOKEN": "hf_of-another"})
    assert hub.made[0] | {"visibility": "private"} == hub.made[0]
    files = [file.relative_to(exported["adapter"]) for file in exported["adapter"].rglob("*") if file.is_file()]
    assert len(files) > 5
    _, differ, absent = filecmp.cmpfiles(exported["adapter"], hub.folder, files, shallow=False)
    assert (differ, absent) == ([], [])
    assert refused.returncode == 2
    assert "The hub does not let you write to somebody/tuned" in refused.stderr


REFUSED = {
    "a folder without a model": ("empty", "somebody/tuned", {}, "holds no exported model"),
    "an odd name": ("for-hub", "some/body/tuned", {}, "is no name of a repository; write 'owner/name'"),
    "no connection": ("for-hub", "somebody/tuned", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "could not be uploaded"),
    "offline": ("for-hub", "somebody/tuned", {"HF_HUB_OFFLINE": "1"}, "unset HF_HUB_OFFLINE to upload"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_uploads_that_cannot_be_are_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    folder, repository, extra, sentence = REFUSED[case]
    (tmp_path / "empty").mkdir()
    (tmp_path / "for-hub").mkdir()
    for file in ("README.md", "model.safetensors"):
        (tmp_path / "for-hub" / file).write_text("---\n---\n", encoding="utf-8")
    at = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", **extra}
    done = _mtpeft("upload", "--folder", folder, "--repository", repository, folder=tmp_path, **at)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
