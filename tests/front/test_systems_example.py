"""What the page says of `workflow/studies/systems.yaml` is what that study has made."""

import re
from pathlib import Path

import pytest

from mtpeft.config.load import load
from mtpeft.steps.cells_of_studies import placed_cells
from support.example import EXAMPLE, effect, known, number, table_of, value
from support.pages import PAGES, ROOT, section

STUDY = load([ROOT / "workflow/studies/systems.yaml"])
TEXT = section("workflow/docs/results.md", "Other systems")
SUMMARY = [row for row in table_of("systems/summary.csv") if row["pair"] == "es-en"]
SERVED = table_of("systems/serving.csv")
MODELS = ("student", "sparse", "narrow")
FIGURES = ("starts.png", "serving.png")


def _told(head: str) -> list[dict[str, str]]:
    """Rows of the table of the section whose first columns are these."""
    lines = TEXT[TEXT.index(f"| {head} |") :].split("\n\n")[0].splitlines()
    header, _, *rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip((name.replace("`", "") for name in header), row, strict=True)) for row in rows]


def _by_size(size: str) -> dict[str, dict[str, str]]:
    return {row["method"]: row for row in SUMMARY if row["size"] == size}


def test_every_cell_of_the_study_has_its_score() -> None:
    cells = {(cell.model, cell.pair, cell.size, cell.method, cell.budget) for cell in placed_cells(STUDY)}
    rows = table_of("systems/summary.csv")
    assert {tuple(row[name] for name in ("model", "pair", "size", "method", "budget")) for row in rows} == cells
    assert {row["missing"] for row in rows} == {row["diverged"] for row in rows} == {"0"}
    assert f"{len(placed_cells(STUDY))} cells" in TEXT


def test_the_page_tells_how_starts_and_examples_compare() -> None:
    told = _told("method | training pairs")
    assert len(told) == len(_by_size("n100")) + len(_by_size("n400"))
    for row in told:
        found = _by_size(f"n{row['training pairs']}")[row["method"]]
        assert (row["seeds"], row["chrF"]) == (found["seeds"], value(found, "chrf"))
        assert row["minus full"] == effect(found, "minus_full")
        assert row["minus none"] == effect(found, "minus_none")


@pytest.mark.parametrize(
    ("size", "start", "words"),
    [
        ("n100", "from_catalan", "brings an adapter {} chrF"),
        ("n400", "from_catalan", "with 400 pairs {} are left"),
        ("n100", "from_turkish", "costs {} chrF with 100 pairs"),
        ("n400", "from_turkish", "and {} with 400"),
    ],
)
def test_what_a_start_brings_is_a_difference_of_the_table(size: str, start: str, words: str) -> None:
    rows = _by_size(size)
    gain = float(rows[start]["chrf"]) - float(rows["adapter"]["chrf"])
    assert words.format(f"{abs(gain):.1f}") in TEXT


def test_the_page_tells_how_pruned_models_are_tuned() -> None:
    told = {row["model"]: row for row in _told("model | `none`")}
    assert tuple(told) == MODELS
    for model, row in told.items():
        full, adapter = (known(SUMMARY, model=model, size="n1600", method=name) for name in ("full", "adapter"))
        assert row["none"] == value(known(SUMMARY, model=model, method="none"), "chrf")
        assert (row["full"], row["adapter"]) == (effect(full, "chrf"), effect(adapter, "chrf"))
        assert row["adapter minus full"] == effect(adapter, "minus_full")


def test_the_page_tells_what_experts_cost() -> None:
    told = _told("method | active experts")
    assert len(told) == len(SERVED)
    for row, found in zip(told, SERVED, strict=True):
        assert (row["method"], row["active experts"]) == (found["method"], f"{found['active']} of {found['experts']}")
        assert row["operations"] == f"{float(found['operations']):.0%}".replace("%", " %")
        assert row["chrF"] == value(found, "chrf")
        assert row["minus whole"] == effect(found, "minus_whole")
        assert row["minus none with as many"] == effect(found, "minus_none")
        assert row["seconds of decoding"] == f"{float(found['decode_seconds']):.0f}"
    half = [float(found["chrf"]) for found in SERVED if int(found["active"]) == 16]
    assert max(half) < 17


def test_the_verdicts_are_those_of_the_findings() -> None:
    findings = (EXAMPLE / "systems/findings.md").read_text(encoding="utf-8")
    verdicts = dict(re.findall(r"^\| \[(\w+)\]\(#\w+\) \|.*?\| \*\*(\w+)\*\*", findings, flags=re.M))
    assert verdicts == dict.fromkeys(("few_shot", "pruned", "rank"), "supported")
    effects = [
        float(own) for own in re.findall(r"^\| (?:adapter|lora), .*? \| all \| (-?[\d.]+) \|", findings, flags=re.M)
    ]
    assert len(effects) == 4
    assert f"all are {100 * min(effects):.0f} to {100 * max(effects):.0f} %" in TEXT
    assert number(float(_by_size("n400")["in_context"]["minus_none"])) in TEXT


def test_the_figures_are_there() -> None:
    for name in FIGURES:
        assert (EXAMPLE / "systems" / name).stat().st_size > 10_000
        assert any(f"report/example/systems/{name}" in text for text in PAGES.values())
    assert {file.name for file in Path(EXAMPLE / "systems").glob("*.png")} == set(FIGURES)
