"""What the page says of `make methods` is what it has made."""

from pathlib import Path

from mtpeft.config.load import load
from mtpeft.steps.cells_of_studies import placed_cells
from support.example import EXAMPLE, effect, known, table_of, value
from support.pages import PAGES, rows, section

ROOT = Path(__file__).parents[2]
PAGE = "workflow/docs/results.md"
STUDY = load([ROOT / "workflow/studies/methods.yaml"])


SUMMARY = [row for row in table_of("methods/summary.csv") if row["size"] in ("n400", "any")]


def test_every_cell_of_the_study_has_its_score() -> None:
    cells = {(cell.method, cell.budget) for cell in placed_cells(STUDY)}
    assert {(row["method"], row["budget"]) for row in SUMMARY} == cells
    assert {row["missing"] for row in SUMMARY} == {row["diverged"] for row in SUMMARY} == {"0"}


def test_the_page_tells_how_the_methods_compare() -> None:
    told = rows(section(PAGE, "All methods"))
    tuned = [row for row in SUMMARY if row["minus_none"] and float(row["trained_share"])]
    assert len(told) == len(tuned)
    for row in told:
        found = known(SUMMARY, method=row["method"], budget=row["budget"])
        assert row["chrF"] == value(found, "chrf")
        assert row["minus full"] == effect(found, "minus_full")
        assert row["minus none"] == effect(found, "minus_none")
        assert row["seconds of training"] == f"{float(found['train_seconds']):.0f}"
    scores = [float(row["chrF"]) for row in told]
    assert scores == sorted(scores, reverse=True)


def test_the_page_says_how_large_the_study_is() -> None:
    text = section(PAGE, "All methods")
    assert f"{len(placed_cells(STUDY))} systems" in text
    assert "further-methods.yaml" in text


def test_the_page_tells_what_tuning_does_to_representations() -> None:
    shipped = table_of("representations/representations.csv")
    told = rows(section(PAGE, "Representations"))
    assert len(told) == 4
    for row in told:
        for side in ("encoder", "decoder"):
            last = max(int(own["layer"]) for own in shipped if own["side"] == side)
            ranks = [
                float(own["effective_rank"])
                for own in shipped
                if (own["method"], own["side"], int(own["layer"])) == (row["method"], side, last)
            ]
            assert row[side] == f"{sum(ranks) / len(ranks):.1f}"


def test_the_figures_are_there() -> None:
    for name in ("methods/methods.png", "representations/representations.png"):
        assert (EXAMPLE / name).stat().st_size > 10_000
        assert any(f"report/example/{name}" in text for text in PAGES.values())
