"""A BibTeX file of the papers that the methods of a configuration come from, read from their descriptions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mtpeft.config.schema import Configuration
from mtpeft.methods import method_for

PAPER = "ustun2022"
"""Key of the paper whose questions the workflow asks."""
CITED = re.compile(
    r"(?P<authors>[A-ZÜ][\w-]*(?: [A-Z][\w-]*)*(?: et al\.| & [A-Z][\w-]*(?: [A-Z][\w-]*)*)?) (?P<year>(?:19|20)\d\d)"
    r"(?:, (?P<title>[^;()]+?))? \((?:arXiv )?(?P<arxiv>\d{4}\.\d{4,5})\)"
)
"""`Hu et al. 2021, LoRA: … (arXiv 2106.09685)`; the title may be left out."""
PUBLISHED = re.compile(
    r"(?:(?P<authors>[A-Z][\w-]* et al\.) (?P<year>\d{4}), )?(?P<title>.+) \((?P<venue>[A-Za-z]+ (?P<at>\d{4}))\)"
)
"""The same of a paper that is not on arXiv: `Title (NeurIPS 2025)`."""
MAIN = (
    "Üstün & Cooper Stickland 2022, When does Parameter-Efficient Transfer Learning Work for Machine Translation? "
    "(arXiv 2205.11277)"
)


@dataclass(frozen=True)
class Entry:
    """A paper: its key, authors in the style of BibTeX, year, title (empty if the description has none), and place."""

    key: str
    authors: str
    year: str
    title: str
    arxiv: str = ""
    venue: str = ""

    def __str__(self) -> str:
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}" if self.title else "",
            "year": self.year,
            "eprint": self.arxiv,
            "archiveprefix": "arXiv" if self.arxiv else "",
            "howpublished": self.venue,
        }
        lines = [f"  {name} = {{{escaped(value)}}}," for name, value in fields.items() if value]
        return "\n".join([f"@misc{{{self.key},", *lines, "}"])


def entries_of(description: str) -> list[Entry]:
    """Papers that the description of a method names, the method's own first."""
    found = [
        _entry(match["authors"], match["year"], match["title"] or "", arxiv=match["arxiv"])
        for match in CITED.finditer(description)
    ]
    published = PUBLISHED.match(description)
    if not found and published:
        year = published["year"] or published["at"]
        found = [_entry(published["authors"] or "", year, published["title"], venue=published["venue"])]
    return found


def _entry(authors: str, year: str, title: str, *, arxiv: str = "", venue: str = "") -> Entry:
    first, *others = re.split(r" et al\.| & ", authors)
    # Without a number of arXiv, the method's own name tells two papers of one author and year apart.
    key = (_plain(first.split()[-1]) if arxiv else _plain(title.split(":")[0])) + year
    names = [f"{{{name}}}" if " " in name else name for name in (first, *others) if name]
    return Entry(key, " and ".join([*names, *["others"] * (" et al." in authors)]), year, title, arxiv, venue)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("ü", "u").replace("ç", "c"))


def keys_of(configuration: Configuration, method: str) -> list[str]:
    """Keys of the papers of a label of `methods`."""
    return [entry.key for entry in _entries(configuration, method)]


def bibliography(configuration: Configuration, methods: Iterable[str]) -> str:
    """Write the BibTeX file of the methods with these labels, and of the paper whose questions the workflow asks."""
    (main,) = entries_of(MAIN)
    unique = {main.key: main}
    for method in methods:
        for entry in _entries(configuration, method):
            known = unique.setdefault(entry.key, entry)
            if entry.title and not known.title:
                unique[entry.key] = entry
    return "\n\n".join(str(unique[key]) for key in sorted(unique)) + "\n"


def _entries(configuration: Configuration, method: str) -> Iterator[Entry]:
    yield from entries_of(method_for(configuration.methods[method]).paper)


def escaped(text: str) -> str:
    """Escape the characters of a text that LaTeX reads as commands."""
    return re.sub(r"([&%$#_])", r"\\\1", text)
