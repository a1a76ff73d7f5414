"""The page of a large study is small enough to send, and works."""

import random
from itertools import combinations, product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mtpeft.analysis.csv_files import csv_text
from mtpeft.analysis.pairwise import Difference
from mtpeft.analysis.score_tables import COST_COLUMNS, score_columns
from mtpeft.analysis.summary import summary_columns
from mtpeft.config.schema import Configuration
from mtpeft.core.files import write_text
from mtpeft.front.page.gather import read_results
from mtpeft.front.page.matrices import Matrix
from mtpeft.front.page.payload import matrix_rows
from mtpeft.front.page.write import content_of, html
from mtpeft.steps.cells_of_studies import placed_cells, results_folder
from support.browser import visit
from support.findings import LANGUAGES, STUDY, configuration_of

MOST_BYTES = 5_000_000
SIZES = [f"n{number}" for number in range(1, 9)]
BUDGETS = {f"b{number}": number / 100 for number in range(1, 7)}
SEEDS = list(range(1, 6))
METHODS = ["full", "adapter", "lora", "none", "bitfit"]


def large_study() -> Configuration:
    """More than 3,000 cells: as many pairs, sizes, budgets and seeds as a large cluster would run."""
    study = {**STUDY, "pairs": LANGUAGES, "sizes": SIZES, "budgets": list(BUDGETS), "methods": METHODS, "seeds": SEEDS}
    sizes = {size: {"pairs": 100 * (place + 1), "updates": 10} for place, size in enumerate(SIZES)}
    return configuration_of(studies={"shares": study}, budgets=BUDGETS, sizes=sizes).named("large")


def write_large_tables(configuration: Configuration) -> int:
    """Tables of all cells as if each had a score; returns the number of cells."""
    drawn = random.Random(1)
    cells = placed_cells(configuration)
    ends = ("", "_low", "_high")
    scores = [
        {**cell.named, "test_set": "test", "status": "ok", "chrf": drawn.uniform(20, 70), "bleu": drawn.uniform(5, 40)}
        | {"budget_achieved": configuration.budgets.get(cell.budget, 1.0), "training_pairs": 100, "empty": 0.012345}
        for cell in cells
    ]
    costs = [
        {**cell.named, "status": "ok", "device": "cpu"} | {name: drawn.uniform(1e3, 1e8) for name in COST_COLUMNS[7:-1]}
        for cell in cells
    ]
    systems = {cell.labels[:5]: cell for cell in cells}
    estimates = ("chrf", "bleu", "minus_full", "minus_none", "bleu_minus_full", "bleu_minus_none")
    summary = [
        {**cell.named, "test_set": "test", "training_pairs": 100, "seeds": 5, "trained_share": 0.0123456}
        | dict.fromkeys(("step_zero", "diverged", "missing"), 0)
        | {f"{name}{end}": drawn.uniform(20, 70) for name, end in product(estimates, ends)}
        | {name: drawn.uniform(1e3, 1e8) for name in summary_columns()[-5:]}
        for cell in systems.values()
    ]
    folder = results_folder(configuration)
    for name, columns, rows in (
        ("scores", score_columns(), scores),
        ("costs", COST_COLUMNS, costs),
        ("summary", summary_columns(), summary),
    ):
        write_text(folder / f"{name}.csv", csv_text(columns, rows))
    return len(cells)


def matrix(pair: str, size: str, budget: str) -> Matrix:
    """Differences between twelve systems."""
    systems = [(f"method{place}", budget) for place in range(12)]
    pairs = {places: Difference(-12.345, -13.456, -11.234, 0.12345, 0.6789, 3) for places in combinations(range(12), 2)}
    return Matrix(("base", pair, size, "test"), budget, systems, [55.55] * 12, pairs)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The page of the study, and the number of its cells."""
    folder = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        configuration = large_study()
        cells = write_large_tables(configuration)
        content = content_of(read_results(configuration))
        matrices = [matrix_rows(matrix(*labels)) for labels in product(LANGUAGES, SIZES, BUDGETS)]
        (folder / "index.html").write_text(html(content | {"matrices": matrices, "choices": []}), encoding="utf-8")
    return folder / "index.html", cells


def test_the_page_of_three_thousand_cells_is_small(large: tuple[Path, int]) -> None:
    page, cells = large

    assert cells >= 3000
    assert page.stat().st_size < MOST_BYTES


def test_the_page_of_three_thousand_cells_is_drawn_filtered_and_searched(
    browser: Browser, large: tuple[Path, int]
) -> None:
    file, cells = large
    page = browser.new_page()
    visit(page, file, "#/cells")
    expect(page.locator(".dt-info")).to_contain_text(f"{cells:,} ")
    page.get_by_label("Search").fill("bitfit")
    expect(page.locator(".dt-info")).to_contain_text("filtered from")
    visit(page, file, "#/charts")
    page.wait_for_selector("#charts .mark-symbol path")
    expect(page.locator("#charts .note").first).to_contain_text("The first 12 of")
    page.close()
