"""What the page says of `workflow/studies/exposure.yaml` is what its first seed has made."""

import re

from mtpeft.config.load import load
from mtpeft.steps.cells_of_studies import placed_cells
from support.example import EXAMPLE, effect, known, table_of, value
from support.pages import ROOT, rows, section

STUDY = load([ROOT / "workflow/studies/exposure.yaml"])
SUMMARY = table_of("exposure/summary.csv")
TEXT = section("workflow/docs/results.md", "What the base model has seen")
GAINS = {
    "gain of adapter, 1 %": ("adapter", "b1"),
    "gain of adapter, 10 %": ("adapter", "b10"),
    "gain of full": ("full", "all"),
}


def test_every_system_of_the_study_has_its_score() -> None:
    cells = {(cell.pair, cell.size, cell.method, cell.budget) for cell in placed_cells(STUDY)}
    assert {tuple(row[name] for name in ("pair", "size", "method", "budget")) for row in SUMMARY} == cells
    assert {row["missing"] for row in SUMMARY} == {row["diverged"] for row in SUMMARY} == {"0"}
    assert {row["seeds"] for row in SUMMARY} == {"1"}
    assert "One seed" in TEXT


def test_the_page_tells_the_gain_of_each_pair_size_and_budget() -> None:
    told = rows(TEXT)
    assert len(told) == 9
    for row in told:
        size = f"n{row['training pairs'].replace(',', '')}"
        assert row["chrF of none"] == value(known(SUMMARY, pair=row["pair"], method="none"), "chrf")
        for column, (method, budget) in GAINS.items():
            found = known(SUMMARY, pair=row["pair"], size=size, method=method, budget=budget)
            assert row[column] == effect(found, "minus_none")


def test_the_page_tells_where_the_untouched_model_was_kept() -> None:
    kept = {(row["pair"], row["size"]) for row in SUMMARY if row["step_zero"] == "1" and row["method"] == "full"}
    assert kept == {("pt-en", "n100"), ("pt-en", "n400")}
    small = [known(SUMMARY, pair=pair, size="n100", method="adapter", budget="b1") for pair in ("tr-en", "es-en")]
    assert small[0]["step_zero"] == "1"
    assert f"bring Spanish {value(small[1], 'minus_none')} chrF" in TEXT


def test_the_verdicts_are_those_of_the_findings() -> None:
    findings = (EXAMPLE / "exposure/findings.md").read_text(encoding="utf-8")
    verdicts = dict(re.findall(r"^\| \[(\w+)\]\(#\w+\) \|.*?\| \*\*(\w+)\*\*", findings, flags=re.M))
    assert verdicts == dict.fromkeys(STUDY.findings, "supported")
    assert (EXAMPLE / "exposure/exposure.png").stat().st_size > 10_000
