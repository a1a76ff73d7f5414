"""The README and the pages of `workflow/docs/`, as tests read them."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGES = {
    page: page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "workflow" / "docs").glob("*.md")))
}
README = PAGES[ROOT / "README.md"]
ALL_TEXT = "\n".join(PAGES.values())
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", ALL_TEXT, flags=re.DOTALL)]


def section(page: str, heading: str) -> str:
    """The text under a heading of a page, up to the next one of the same level or above."""
    (level, text), *others = re.findall(rf"(?ms)^(#+) {re.escape(heading)}\n(.*)", PAGES[ROOT / page])
    assert not others
    return re.split(rf"(?m)^#{{1,{len(level)}}} ", text)[0]


def rows(text: str) -> list[dict[str, str]]:
    """The rows of all tables in a text, by the names of their columns; code is without its marks."""
    found = []
    for table in re.findall(r"(?m)(?:^\|.*\|\n)+", text):
        header, _, *lines = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()]
        found += [dict(zip((name.replace("`", "") for name in header), line, strict=True)) for line in lines]
    return found
