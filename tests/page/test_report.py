"""Snakemake's report of a finished study opens in a browser, with figures, tables and findings."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator

from support.sweep import copy, snakemake


@pytest.mark.sweep
def test_the_report_opens_in_a_browser(finished: Path, browser: Browser, tmp_path: Path) -> None:
    archive = tmp_path / "report.zip"
    run = copy(finished, tmp_path / "run")  # Snakemake adds a log to the folder that it reports on
    done = snakemake(run, "--cores", "1", "--report", str(archive))
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)

    page = browser.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: errors.append(request.url) if not request.url.startswith("file:") else None)
    (report,) = tmp_path.glob("*/report.html")
    page.goto(report.as_uri())
    for category in ("Figures", "Findings", "Tables"):
        page.get_by_text(category, exact=True).first.wait_for()
    page.get_by_text("Made with python").wait_for()
    page.get_by_text("Tables", exact=True).first.click()
    page.get_by_text("budgets", exact=True).first.wait_for()
    for table in sorted(report.parent.rglob("summary.html")):
        page.goto(table.as_uri())
        scores = [float(text.split(" ")[0]) for text in _column(page.locator("table"), "chrf") if text]
        assert len(scores) > 1 and scores == sorted(scores, reverse=True)
    assert errors == []
    page.close()


def _column(table: Locator, name: str) -> list[str]:
    """Texts of a column of a table that is shown."""
    head = table.locator("th").all_inner_texts()
    place = head.index(name) + 1
    return table.locator(f"tbody td:nth-child({place})").all_inner_texts()
