"""When a sweep has ended, it shows some test sentences with the translations of several systems."""

from pathlib import Path

import pytest

from mtpeft.config.schema import Configuration
from mtpeft.core.files import write_text
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.front.example_translations import SENTENCES, example_translations
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.decontaminate_pair import reference
from support.front import configured, finish
from support.text_records import write_text_records

ROWS = 12


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A study of full fine-tuning, adapters of two budgets and the untouched model, with a test set and no results."""
    return of_methods(["full", "adapter", "none"], tmp_path, monkeypatch)


def of_methods(methods: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A study of some methods, whose folder is the working directory."""
    monkeypatch.chdir(folder)
    configuration = configured(folder, methods=methods)
    rows = [SentencePair(str(row), f"fonte {row}", f"referência {row}") for row in range(ROWS)]
    for part in ("dev", "test"):
        write_pairs(Path(reference(configuration, "pt-en", part)), rows)
    write_text_records(configuration, "pt-en")
    return configuration


def translate(configuration: Configuration, method: str, lines: list[str], *, budget: str = "all") -> None:
    """Finish the cells of a system, with these translations for all seeds but the second."""
    for cell in placed_cells(configuration):
        if cell.method == method and budget in (cell.budget, "all") and not cell.is_group:
            text = lines if cell.seed != "2" else ["another seed"] * len(lines)
            finish(cell)
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


def test_translations_of_cells_that_are_not_finished_are_not_shown(configuration: Configuration) -> None:
    for method in ("none", "full"):
        translate(configuration, method, [f"words of {method}"] * ROWS)
    for cell in placed_cells(configuration):
        (cell.folder / "score.json").unlink(missing_ok=True)
    assert example_translations(configuration) == []


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1, None])
def test_nothing_is_shown_of_another_text_than_was_translated(configuration: Configuration, rows: int | None) -> None:
    for method in ("none", "full"):
        translate(configuration, method, [f"words of {method}"] * ROWS)
    text = Path(reference(configuration, "pt-en", "test"))
    if rows is None:
        text.unlink()
    else:
        write_pairs(text, [SentencePair(str(row), f"fonte {row}", f"referência {row}") for row in range(rows)])
    assert example_translations(configuration) == []


def test_at_most_four_tuned_systems_are_shown_and_no_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = of_methods(
        ["retrieval", "full", "adapter", "lora", "prefix", "layernorm", "none"], tmp_path, monkeypatch
    )
    for method in ("none", "retrieval", "full", "adapter", "lora", "prefix", "layernorm"):
        translate(configuration, method, [f"words of {method}"] * ROWS)

    shown = [line.split()[0] for line in example_translations(configuration)[2:9]]

    assert shown == ["source", "reference", "untouched", "full", "adapter", "lora", "prefix"]
