"""When a sweep has ended, it shows some test sentences with the translations of several systems."""

from pathlib import Path

import pytest

from mtpeft.config.schema import Configuration
from mtpeft.core.files import write_text
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.front.example_translations import SENTENCES, example_translations
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.decontaminate_pair import reference
from support.front import configured

ROWS = 12


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A study of full fine-tuning, adapters of two budgets and the untouched model, with a test set and no results."""
    monkeypatch.chdir(tmp_path)
    configuration = configured(tmp_path)
    rows = [SentencePair(str(row), f"fonte {row}", f"referência {row}") for row in range(ROWS)]
    write_pairs(Path(reference(configuration, "pt-en", "test")), rows)
    return configuration


def translate(configuration: Configuration, method: str, lines: list[str], *, budget: str = "all") -> None:
    """Write translations for every seed of a system, those of later seeds under another name."""
    for cell in placed_cells(configuration):
        if cell.method == method and budget in (cell.budget, "all") and not cell.is_group:
            text = lines if cell.seed != "2" else ["another seed"] * len(lines)
            write_text(cell.folder / "hypotheses/test.txt", "".join(f"{line}\n" for line in text))


def test_systems_stand_below_each_other_with_source_and_reference(configuration: Configuration) -> None:
    translate(configuration, "none", [f"before {row}" for row in range(ROWS)])
    translate(configuration, "full", [f"tuned {row}" for row in range(ROWS)])

    first, *lines = example_translations(configuration)

    assert first == "Test sentences of pt-en in the words of each system:"
    assert lines[:5] == [
        "",
        "  source     fonte 0",
        "  reference  referência 0",
        "  untouched  before 0",
        "  full       tuned 0",
    ]
    assert sum(line.startswith("  source") for line in lines) == SENTENCES


def test_sentences_that_all_translate_alike_are_left_out(configuration: Configuration) -> None:
    translate(configuration, "none", ["the same"] * ROWS)
    translate(configuration, "full", ["the same"] * (ROWS - 1) + ["another"])

    lines = example_translations(configuration)

    assert [line.split() for line in lines if "fonte" in line] == [["source", "fonte", str(ROWS - 1)]]


def test_the_largest_budget_of_a_method_is_shown(configuration: Configuration) -> None:
    translate(configuration, "none", ["untouched words"] * ROWS)
    translate(configuration, "adapter", ["small budget"] * ROWS, budget="b1")
    translate(configuration, "adapter", ["large budget"] * ROWS, budget="b20")

    shown = "\n".join(example_translations(configuration))

    assert "  adapter    large budget" in shown
    assert "small budget" not in shown


def test_nothing_is_shown_where_all_are_translated_alike(configuration: Configuration) -> None:
    for method in ("none", "full"):
        translate(configuration, method, ["the same"] * ROWS)
    assert example_translations(configuration) == []


def test_nothing_is_shown_before_two_systems_have_translated(configuration: Configuration) -> None:
    assert example_translations(configuration) == []
    translate(configuration, "none", ["untouched words"] * ROWS)
    assert example_translations(configuration) == []
