"""Decode the test set of a cell with its tuned model."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.decoding.search import Search, translate
from mtpeft.execution import describe
from mtpeft.models.languages import language_code
from mtpeft.models.load import open_tuned, prepare_torch
from mtpeft.record_types import DecodeRecord
from mtpeft.records import read_record, sha256_of, write_lines, write_record
from mtpeft.tokens.arrays import read_arrays
from mtpeft.tokens.encode import load_tokenizer, text_of


def decode(settings: Mapping[str, Any], cell: Cell, *, trained: Path, tests: Mapping[str, Path], record: Path) -> None:
    """Write one hypothesis per line and test set into `hypotheses/`, and the record.

    Args:
        settings: `search`, `languages`, `threads`.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        tests: token arrays of each test set.
        record: where the record goes.
    """
    train = read_record(trained)
    device = prepare_torch(settings["threads"])
    base = Path(read_record(Path(train["inputs"]["base"]))["folder"])
    tokenizer = load_tokenizer(base)
    language_token = tokenizer.convert_tokens_to_ids(language_code(settings["languages"]["target"]))
    model = open_tuned(base, trained.parent / "tuned").to(device).eval()
    started, done, described = time.monotonic(), 0, {}
    for name, arrays in tests.items():
        source = read_arrays(arrays).source
        sources = [source[row] for row in range(len(source))]
        hypotheses = translate(model, sources, Search(**settings["search"]), language_token=language_token)
        lines = text_of(tokenizer, hypotheses)
        described[name] = write_hypotheses(record.parent, name, lines)
        done += len(lines)
    seconds = time.monotonic() - started
    execution = describe(str(device), settings["threads"])
    write_decode_record(settings, cell, record=record, test_sets=described, execution=execution, cost=(seconds, done))


def write_hypotheses(folder: Path, name: str, lines: list[str]) -> dict[str, Any]:
    """Write the hypotheses of one test set; returns what the record says of them."""
    file = folder / "hypotheses" / f"{name}.txt"
    write_lines(file, (line.replace("\n", " ").replace("\r", " ") for line in lines))
    return {"sentences": len(lines), "sha256": sha256_of(file)}


def write_decode_record(
    settings: Mapping[str, Any],
    cell: Cell,
    *,
    record: Path,
    test_sets: dict[str, dict[str, Any]],
    execution: dict[str, Any],
    cost: tuple[float, int],
    status: str = "ok",
) -> None:
    """Write the record; `cost` is seconds and sentences."""
    seconds, sentences = cost
    content = DecodeRecord(
        cell=vars(cell),
        status=status,
        settings=dict(settings),
        execution=execution,
        test_sets=test_sets,
        decode_seconds=round(seconds, 3),
        sentences_per_second=round(sentences / seconds, 1) if seconds else 0.0,
    )
    write_record(record, content.model_dump())
