"""The notebook of a finished study runs from its first cell to its last, and shows what it says."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from support.sweep import ROOT, STUDY, environment

NOTEBOOK = ROOT / "workflow/docs/notebook.ipynb"


def _outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _shows(notebook: nbformat.NotebookNode) -> list[str]:
    """Kinds of what the cells show, in their order."""
    return [kind for output in _outputs(notebook) for kind in output.get("data", {}) if kind != "text/plain"]


@pytest.mark.sweep
def test_the_notebook_runs_on_another_study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    shipped = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.reads(
        nbformat.writes(shipped).replace(r"Path(\"../..\"), \"methods\"", rf"Path(\"{finished}\"), \"{STUDY.stem}\""),
        as_version=4,
    )
    shutil.copy(NOTEBOOK, tmp_path)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert _shows(notebook) == _shows(shipped) == ["text/html", "image/png", "text/html"]
    assert [output for output in _outputs(notebook) if output.output_type == "error"] == []
    (counted,) = [output.text for output in _outputs(notebook) if output.output_type == "stream"]
    assert "of the sentences are worse with the smaller budget" in counted
    assert str(ROOT) not in NOTEBOOK.read_text(encoding="utf-8")
