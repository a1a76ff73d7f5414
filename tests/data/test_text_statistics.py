"""The table of the test sentences: words per sentence, tokens per word, truncated and unknown tokens."""

import csv
from pathlib import Path

from mtpeft.analysis.text_statistics import write_text_table
from mtpeft.data.token_arrays import Encoded, write_arrays
from mtpeft.data.tsv import SentencePair, write_pairs

ROWS = [("Abre la puerta", "Open the door"), ("Cierra", "Close it")]
FRAMED = ([[9, 11, 12, 13, 14, 15, 2], [9, 16, 17, 18, 2]], [[8, 21, 22, 23, 2], [8, 24, 25, 2]])


def test_tokens_are_counted_per_word_without_special_ones(tmp_path: Path) -> None:
    write_pairs(tmp_path / "test.tsv", [SentencePair(str(number), *row) for number, row in enumerate(ROWS)])
    write_arrays(tmp_path / "test.safetensors", source=Encoded(FRAMED[0], 2, 1, 2), target=Encoded(FRAMED[1], 2, 0, 1))
    write_text_table(
        [{"model": "small", "pair": "es-en", "test_set": "test"}],
        texts=[tmp_path / "test.tsv"],
        arrays=[tmp_path / "test.safetensors"],
        output=tmp_path / "text.csv",
        page=tmp_path / "text.md",
    )

    (row,) = csv.DictReader((tmp_path / "text.csv").open(encoding="utf-8"))
    assert {key: row[key] for key in ("model", "pair", "sentences")} == {
        "model": "small",
        "pair": "es-en",
        "sentences": "2",
    }
    assert [float(row[f"source_{name}"]) for name in ("words", "tokens_per_word")] == [2.0, 2.0]
    assert [float(row[f"target_{name}"]) for name in ("words", "tokens_per_word")] == [2.5, 1.0]
    assert [float(row[f"source_{name}"]) for name in ("truncated", "unknown")] == [0.5, 2 / 8]
    assert [float(row[f"target_{name}"]) for name in ("truncated", "unknown")] == [0.0, 1 / 5]
    assert "| small | es-en | test | 2 | 2.00 | 2.00 | 2.50 | 1.00 | 50.0% | 25.0% | 0.0% | 20.0% |" in (
        tmp_path / "text.md"
    ).read_text("utf-8")
