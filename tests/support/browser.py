"""Open a page in a browser."""

from pathlib import Path

from playwright.sync_api import Page


def visit(page: Page, file: Path, view: str = "") -> None:
    """Open a view of the page anew, and wait until it is drawn."""
    page.goto("about:blank")
    page.goto(f"{file.as_uri()}{view}")
    page.wait_for_selector("html[data-ready]", state="attached")
