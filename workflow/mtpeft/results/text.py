"""The test sentences as the models read them: how long they are, and into how many tokens a word falls."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.corpus.sentences import words
from mtpeft.corpus.tsv import read_pairs
from mtpeft.markdown import table
from mtpeft.records import write_text
from mtpeft.results.collect import csv_text
from mtpeft.tokens.arrays import read_arrays

LABELS = ("model", "pair", "test_set")
SIDES = ("source", "target")
COLUMNS = (*LABELS, "sentences", *(f"{side}_{what}" for side in SIDES for what in ("words", "tokens_per_word")))


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
    """Number of sentences; on each side words per sentence and tokens per word, special tokens left out."""
    rows, tokens = read_pairs(text), read_arrays(arrays)
    measured: dict[str, Any] = {"sentences": len(rows)}
    for side in SIDES:
        spoken = sum(words(getattr(row, side)) for row in rows)
        written = int((getattr(tokens, side).lengths - getattr(tokens, side).around).sum())
        measured |= {f"{side}_words": spoken / len(rows), f"{side}_tokens_per_word": written / spoken}
    return measured


def _shown(row: Mapping[str, Any]) -> list[str]:
    return [f"{row[name]:.2f}" if isinstance(row[name], float) else str(row[name]) for name in COLUMNS]
