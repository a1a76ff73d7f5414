"""The tables that come with the project, and their numbers as the pages write them."""

import csv
from pathlib import Path

from mtpeft.analysis.findings.number_formats import number, span

EXAMPLE = Path(__file__).parents[2] / "workflow" / "report" / "example"


def table_of(file: str) -> list[dict[str, str]]:
    """The rows of a shipped table."""
    return list(csv.DictReader((EXAMPLE / file).open(encoding="utf-8")))


def value(row: dict[str, str], column: str) -> str:
    """A number of a table, as the page has it."""
    return number(float(row[column])) if row[column] else "–"


def effect(row: dict[str, str], column: str) -> str:
    """A number of a table with its interval, as the page has it."""
    interval = tuple(float(row[f"{column}_{end}"]) for end in ("low", "high")) if row[column] else ()
    return f"{value(row, column)} ({span(interval)})" if interval else "–"


def shortfall(row: dict[str, str]) -> str:
    """By how much a system is below full fine-tuning, with its interval, in chrF."""
    less, most, least = (number(-float(row[f"minus_full{end}"])) for end in ("", "_low", "_high"))
    return f"{less} ({least} to {most})"


def measured(table: list[dict[str, str]], **labels: str) -> dict[str, str] | None:
    """The row of a shipped table with these labels, if there is one."""
    found = [row for row in table if all(row[name] == label for name, label in labels.items())]
    assert len(found) <= 1
    return found[0] if found else None


def known(table: list[dict[str, str]], **labels: str) -> dict[str, str]:
    """The row of a shipped table with these labels."""
    found = measured(table, **labels)
    assert found is not None, labels
    return found


def percent(share: str, digits: int) -> str:
    """A share, as the page has it."""
    return f"{float(share):.{digits}%}".replace("%", " %")
