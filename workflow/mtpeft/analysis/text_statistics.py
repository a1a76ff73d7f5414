"""Describe the test sentences as the models read them: length, tokens per word, truncated sentences, unknown tokens."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.analysis.csv_files import csv_text
from mtpeft.core.files import write_text
from mtpeft.core.text_tables import table
from mtpeft.data.sentences import words
from mtpeft.data.token_counts import SIDES, read_counts
from mtpeft.data.tsv import read_pairs

LABELS = ("model", "pair", "test_set")
MEASURED = ("words", "tokens_per_word")
LOST = ("truncated", "unknown")
"""Shares of the sentences that are longer than the model reads, and of the tokens that its vocabulary does not know."""
COLUMNS = (*LABELS, "sentences", *(f"{side}_{what}" for kind in (MEASURED, LOST) for side in SIDES for what in kind))


def write_text_table(
    tested: Sequence[Mapping[str, str]],
    *,
    texts: Sequence[Path],
    arrays: Sequence[Path],
    output: Path,
    page: Path,
) -> None:
    """Write one row per model and test set, as CSV and as Markdown.

    Args:
        tested: model, pair and test set of each row.
        texts: text of each row.
        arrays: token arrays of each row.
        output: where the CSV goes.
        page: where the Markdown goes.
    """
    rows = [{**labels, **described(text, tokens)} for labels, text, tokens in zip(tested, texts, arrays, strict=True)]
    write_text(output, csv_text(COLUMNS, rows))
    write_text(page, table([name.replace("_", " ") for name in COLUMNS], [_shown(row) for row in rows]) + "\n")


def described(text: Path, arrays: Path) -> dict[str, Any]:
    """Describe a test set: its sentences and, for each side, words per sentence, tokens per word and losses.

    Special tokens are not counted. Losses are shares: of sentences that are truncated, and of tokens that are unknown.
    """
    rows, counts = read_pairs(text), read_counts(arrays)
    measured: dict[str, Any] = {"sentences": len(rows)}
    for side in SIDES:
        spoken = sum(words(getattr(row, side)) for row in rows)
        own = counts[side]
        measured |= {f"{side}_words": spoken / len(rows), f"{side}_tokens_per_word": own.tokens / spoken}
        measured |= {f"{side}_truncated": own.truncated_share, f"{side}_unknown": own.unknown_share}
    return measured


def _shown(row: Mapping[str, Any]) -> list[str]:
    return [_written(name, row[name]) for name in COLUMNS]


def _written(name: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1%}" if name.endswith(LOST) else f"{value:.2f}"
