"""What the page is written from, and what happens where that is not there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from mtpeft.analysis.pairwise import differences
from mtpeft.analysis.resampling import score_runs, sentence_weights
from mtpeft.front.page.after_sweep import page_after_sweep
from mtpeft.front.page.gather import read_results
from mtpeft.front.page.libraries import data_tables, safe_script
from mtpeft.front.page.matrices import compare
from mtpeft.front.page.measured import read_cells, settings
from mtpeft.front.page.write import write_page
from mtpeft.metrics.chrf import corpus_score
from mtpeft.steps.cells_of_studies import placed_cells
from support.findings import STUDY, configuration_of
from support.page import SENTENCES, study, write_cells, write_results

GROUP = "de-en+es-en"


def test_a_page_that_can_not_be_written_is_told_and_does_not_fail_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = page_after_sweep([])

    assert "the results page was not written" in line
    assert "has no tables yet" in line
    assert not list(tmp_path.rglob("index.html"))


def test_scripts_of_cells_that_the_study_no_longer_has_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study(tmp_path)
    (page,) = tmp_path.glob("results/*/index.html")
    known = sorted(page.parent.glob("page/cells/**/*.js"))
    for number in range(3):
        stale = page.parent / f"page/cells/small/es-en/n{number}/lora/b1/1-0000000{number}"
        stale.mkdir(parents=True)
        (stale / "test.js").write_text("")
    study(tmp_path)
    assert sorted(page.parent.glob("page/cells/**/*.js")) == known


def test_the_page_is_written_without_torch_and_without_matplotlib() -> None:
    code = (
        "import sys; from mtpeft.front.page import write, libraries, charts; import altair, vl_convert;"
        "print(sorted({'torch', 'transformers', 'peft', 'matplotlib', 'snakemake'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": "workflow"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["'</script>'", "'</SCRIPT >'", "'<!-- -->'", "'<script>'"])
def test_a_script_inside_of_a_page_can_not_end_it(text: str) -> None:
    written = safe_script(text)

    assert not any(part in written.lower() for part in ("</script", "<!--", "<script"))
    assert written.replace("\\x3c", "<") == text


def test_the_script_of_the_table_is_no_module_any_more() -> None:
    script, style = data_tables()

    assert "window.jQuery=" in script
    assert "export{" not in script
    assert "dt-container" in style


def test_p_values_of_differences_are_corrected_over_all_that_are_asked_for() -> None:
    """Two systems that are the same and one that is worse: Holm's correction for three comparisons."""
    drawn = np.random.default_rng(1)
    same = np.stack([np.full(60, 40.0), np.full(60, 40.0), drawn.integers(10, 30, 60)] * 6, axis=-1)
    worse = same - np.array([0.0, 0.0, 5.0] * 6)
    weights = sentence_weights(60, 10_000)
    tables = {"a": same, "b": same, "c": worse}
    systems = {name: score_runs(own[None], ["1"], weights, corpus_score) for name, own in tables.items()}
    found = differences(systems, [("a", "b"), ("a", "c"), ("b", "c")], sentences=60, stream="test")

    assert (found["a", "b"].effect, found["a", "b"].p_holm) == (0.0, 1.0)
    assert found["a", "c"].low > 0
    assert found["a", "c"].p == pytest.approx(2 / 10_001)
    assert found["a", "c"].p_holm == pytest.approx(3 * found["a", "c"].p)


def test_cells_of_a_group_are_compared_apart_from_those_of_one_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = {**STUDY, "pairs": [GROUP, "es-en"], "methods": ["full", "none"], "seeds": [1]}
    configuration = configuration_of(studies={"shares": study}).named("grouped")
    cells = placed_cells(configuration)
    write_cells(configuration, cells)
    write_results(configuration, cells, [])
    results = read_results(configuration)
    compared = {}
    for setting, own in settings(results.cells).items():
        compared[setting] = compare(setting, list(read_cells(own, results.metrics)))
    (matrix,) = compared["base", "es-en", "many", "test"].matrices

    assert set(matrix.systems) == {(f"full ({GROUP})", "all"), ("full", "all"), ("none", "any")}
    assert compared["base", "de-en", "many", "test"].best == (f"full ({GROUP})", "all")
    assert compared["base", "de-en", "any", "test"].matrices == []
    written = {str(file.relative_to("results/grouped/page")) for file in write_page(configuration).parent.rglob("*.js")}
    assert {name.split("/")[0] for name in written} == {"cells", "text"}
    assert len(written) == len(results.cells) + 2


def test_the_score_of_a_class_of_sentences_is_that_of_the_corpus_of_them(shown: Path) -> None:
    """The classes of a cell's script have all sentences between them, and its sentences have sacreBLEU's scores."""
    (file,) = shown.parent.glob("page/cells/*/es-en/many/lora/large/1-*/test.js")
    content = json.loads(re.fullmatch(r'mtpeftPage\.receive\("cell","[^"]+",(.+)\);\n', file.read_text())[1])
    sacrebleu = CHRF()
    pairs = zip(content["hypotheses"], SENTENCES, strict=True)
    expected = [sacrebleu.sentence_score(made, [wanted]).score for made, wanted in pairs]

    assert content["chrf"] == pytest.approx(expected, abs=0.051)
    for rows in content["classes"].values():
        assert sum(count for _, count, *_ in rows) == len(SENTENCES)
        assert all(own > untouched for _, _, own, untouched in rows)
