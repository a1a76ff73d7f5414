"""Tables in LaTeX hold the numbers of the summaries, and cite papers that stand in the BibTeX file."""

import re
import shutil
from csv import DictReader
from pathlib import Path

import pytest

from mtpeft.core.errors import UserError
from mtpeft.front.bibtex import entries_of
from mtpeft.front.latex import latex_table, write_latex
from mtpeft.methods import METHODS
from support.pages import ROOT
from support.sweep import small_study

EXAMPLE = ROOT / "workflow/report/example/methods/summary.csv"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files of a study whose summary is one that comes with the project, by their names."""
    monkeypatch.chdir(tmp_path)
    overlay = {
        "methods": {
            "dora": {"method": "lora", "dora": True, "learning_rate": 1e-3},
            "ia3": {"method": "IA3", "learning_rate": 1e-3},
            "decoder": {"method": "part", "part": "decoder", "learning_rate": 1e-3},
            "prefix": {"method": "prefix", "learning_rate": 1e-3},
            "bitfit": {"method": "bitfit", "learning_rate": 1e-3},
            "layernorm": {"method": "layernorm", "learning_rate": 1e-3},
        }
    }
    study = small_study(overlay)
    with pytest.raises(UserError, match="No study has a summary yet"):
        list(write_latex(study))
    tables = tmp_path / "results" / study.study_file / "tables/budgets"
    tables.mkdir(parents=True)
    shutil.copy(EXAMPLE, tables / "summary.csv")
    return {file.name: file.read_text(encoding="utf-8") for file in write_latex(study)}


def test_a_table_has_the_numbers_of_the_summary(written: dict[str, str]) -> None:
    lines = [line for line in written["budgets.tex"].splitlines() if line.endswith("\\\\")]
    header, *rows = [line.removesuffix("\\\\").split(" & ") for line in lines]
    assert {len(row) for row in rows} == {len(header)} == {8}
    with EXAMPLE.open(encoding="utf-8", newline="") as file:
        expected = {(row["method"], row["budget"]): row for row in DictReader(file)}
    assert len(rows) == len(expected)
    for row in rows:
        own = expected[row[3].split("~")[0], row[4]]
        score, low, high = re.findall(r"\d+\.\d", row[6])
        assert [score, low, high] == [f"{float(own[name]):.1f}" for name in ("chrf", "chrf_low", "chrf_high")]
        if own["minus_full"]:
            assert row[7].split(" ")[0].replace("$-$", "-") == f"{float(own['minus_full']):.1f}"
    (best,) = [row for row in rows if "\\textbf" in row[6]]
    assert float(expected[best[3].split("~")[0], best[4]]["chrf"]) == max(
        float(row["chrf"]) for row in expected.values() if float(row["trained_share"] or 0)
    )
    assert written["budgets.tex"].count("\\toprule") == written["budgets.tex"].count("\\bottomrule") == 1
    assert re.findall(r"(?<!\\)[%&_#](?=\w)", "\n".join(line for line in lines[1:])) == []


def test_what_a_table_cites_is_in_the_bibliography(written: dict[str, str]) -> None:
    cited = set(re.findall(r"\\cite\{(\w+)\}", written["budgets.tex"]))
    keys = re.findall(r"^@misc\{(\w+),$", written["methods.bib"], flags=re.M)
    assert {"hu2021", "bapna2019", "ustun2022"} <= cited <= set(keys)
    assert len(keys) == len(set(keys))
    assert "author = {Üstün and {Cooper Stickland}}" in written["methods.bib"]
    assert written["methods.bib"].count("{") == written["methods.bib"].count("}")


@pytest.mark.parametrize("name", METHODS)
def test_every_paper_of_a_method_becomes_an_entry(name: str) -> None:
    paper = METHODS[name].paper
    entries = entries_of(paper)
    numbers = re.findall(r"\d{4}\.\d{4,5}", paper)
    assert [entry.arxiv for entry in entries if entry.arxiv] == numbers
    assert bool(entries) or paper.startswith("Reference: ")
    for entry in entries:
        assert entry.year.isdecimal() and re.fullmatch(r"[a-z0-9]+\d{4}", entry.key)


def test_no_two_papers_share_a_key() -> None:
    known: dict[str, str] = {}
    for method in METHODS.values():
        for entry in entries_of(method.paper):
            own = entry.arxiv or entry.title
            assert known.setdefault(entry.key, own) == own


def _row(budget: str, score: float, **labels: str) -> dict[str, str]:
    named = {"model": "small", "pair": "es-en", "size": "n200", "method": "lora", "budget": budget, "test_set": "test"}
    numbers = {f"{metric}{end}": str(score) for metric in ("chrf", "ter") for end in ("", "_low", "_high")}
    return {**named, **numbers, "trained_share": "0.05", **labels}


def test_systems_of_two_test_sets_stand_apart_each_with_its_best() -> None:
    rows = [_row("b5", 30.0), _row("b20", 40.0), _row("b5", 50.0, test_set="news"), _row("b20", 45.0, test_set="news")]
    table = latex_table(small_study(), rows, "chrf")
    assert "model & pair & size & test set & method" in table
    best = [line for line in table.splitlines() if "\\textbf" in line]
    assert [("news" in line, "textbf{50.0}" in line) for line in best] == [(True, True), (False, False)]
    assert "textbf{40.0}" in best[1]


def test_the_best_is_the_lowest_where_less_is_better() -> None:
    table = latex_table(small_study(), [_row("b5", 60.0), _row("b20", 55.0)], "ter")
    (best,) = [line for line in table.splitlines() if "\\textbf" in line]
    assert "textbf{55.0}" in best
