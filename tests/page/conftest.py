"""A browser for the tests of the page, and the page of a study with every kind of cell and text."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.browser import visit
from support.page import study
from support.sweep import made_once

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, one for all tests."""
    if CHROMIUM is None:
        why = "needs chromium, which `make ci-setup` installs"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with sync_playwright() as playwright:
        # The tests may run as root, in a container that has no namespaces of its own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the study."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            study(folder)

    return made_once(tmp_path_factory, "page", make) / "results" / "shown" / "index.html"


@pytest.fixture
def messages() -> list[str]:
    """What the browser complains about."""
    return []


@pytest.fixture
def opened(browser: Browser, shown: Path, messages: list[str]) -> Iterator[Page]:
    """The page, opened as a file without a network; its complaints are the test's."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    visit(page, shown)
    yield page
    context.close()
