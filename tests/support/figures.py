"""Small summaries of studies written by hand, and the figures that are drawn from them."""

import csv
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from mtpeft.analysis.other_pairs import others_columns
from mtpeft.analysis.read_tables import System, read_systems
from mtpeft.analysis.summary import summary_columns
from mtpeft.config.figures import FIGURES, TEXT_TABLE
from mtpeft.figures.base import FigureData
from mtpeft.figures.draw import draw_figure
from mtpeft.figures.plotting.panels import Drawing
from mtpeft.figures.plotting.style import method_styles

Row = dict[str, object]
LABELS = summary_columns()[:5]
SHARES = {"one": 0.01, "ten": 0.1, "all": 1.0, "native": 0.004}
PAIRS_OF_SIZE = {"small": 250, "large": 4000}


def system_row(labels: tuple[str, ...], score: float, **changes: object) -> Row:
    """A system of two seeds that is 2 chrF below full fine-tuning and 3 above the untouched model."""
    share = SHARES.get(labels[4], "")
    differences = {} if labels[3] == "full" else interval("minus_full", -2)
    return {
        **dict(zip(LABELS, labels, strict=True)),
        "test_set": "test",
        "training_pairs": PAIRS_OF_SIZE.get(labels[2], ""),
        "seeds": 2 if share else 1,
        "step_zero": 0,
        "diverged": 0,
        "missing": 0,
        "trained_share": share,
        **interval("chrf", score),
        **differences,
        **interval("minus_none", 3),
        **({"trained_parameters": 1000 * share, "stored_bytes": 4000 * share, "peak_memory_mb": 100} if share else {}),
        "train_seconds": 20,
        "decode_sentences_per_second": 300,
        **changes,
    }


SPOKEN = {"es-en": "es", "tr-en": "tr"}


def interval(name: str, mean: float) -> Row:
    return {name: mean, f"{name}_low": mean - 0.5, f"{name}_high": mean + 0.75}


def study() -> list[Row]:
    """Two models, pairs and sizes with full tuning, two methods at two budgets, a point, and references."""
    kinds = [("full", "all"), ("bitfit", "native"), *product(("adapter", "lora"), ("one", "ten"))]
    settings = product(("base", "big"), ("es-en", "tr-en"), ("small", "large"), kinds)
    rows = [system_row((*setting, *kind), 30 + place % 7) for place, (*setting, kind) in enumerate(settings)]
    for pair, size in product(("es-en", "tr-en"), ("small", "large")):
        rows.append(system_row(("any", pair, size, "retrieval", "any"), 28))
    for model, pair in product(("base", "big"), ("es-en", "tr-en")):
        rows.append(system_row((model, pair, "any", "none", "any"), 27))
    return rows


def one_panel() -> list[Row]:
    return [row for row in study() if [row[name] for name in LABELS[:3]] == ["base", "es-en", "large"]]


def other_rows(rows: list[Row], pair: str, minus_none: float) -> list[Row]:
    """Tuned systems of a table on another pair, where they differ so much from the untouched model."""
    tuned = [row for row in rows if row["method"] not in ("none", "retrieval", "scratch")]
    return [row | {"scored_pair": pair, **interval("minus_none", minus_none)} for row in tuned]


def lose(row: Row, **counts: int) -> Row:
    """A system without any run that has a score."""
    kept = (*LABELS, "test_set", "step_zero", "diverged", "missing")
    return {name: row[name] for name in kept} | {"seeds": 0} | counts


def cells_of(rows: list[Row]) -> int:
    return sum(int(row[name]) for row in rows for name in ("seeds", "diverged", "missing"))


def write_table(path: Path, rows: list[Row], columns: tuple[str, ...] = summary_columns()) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_text_table(folder: Path, rows: list[Row]) -> Path:
    """The table of how models read test sets, in which one of a hundred source tokens is unknown."""
    read = {(row["model"], row["pair"], row["test_set"]) for row in rows}
    columns = ("model", "pair", "test_set")
    described = [{**dict(zip(columns, own, strict=True)), "source_unknown": 0.01} for own in sorted(read, key=str)]
    return write_table(folder / f"{TEXT_TABLE}.csv", described, (*columns, "source_unknown"))


def draw(folder: Path, figure: str, rows: list[Row], others: Sequence[Row] = (), **more: object) -> Path:
    """Draw a figure with these params besides those that every figure has; returns the stem of its files."""
    stem = folder / figure
    tables = [write_table(folder / "others.csv", list(others), others_columns())] if others else []
    if figure in FIGURES and TEXT_TABLE in FIGURES[figure].needs:
        tables.append(write_text_table(folder, rows))
    params = {
        "version": 1,
        "figure": figure,
        "study": figure,
        "cells": cells_of(rows),
        "stamp": "",
        "languages": SPOKEN,
        "from": ["en"],
        **({"others": cells_of(list(others))} if others else {}),
        **more,
    }
    draw_figure(params, summary=write_table(folder / "summary.csv", rows), tables=tables, stem=stem)
    return stem


def drawing_of(folder: Path, figure: str, rows: list[Row], others: Sequence[Row] = ()) -> Drawing:
    """The panels of a figure, without what is written around them."""
    files = {"others": write_table(folder / "others.csv", list(others), others_columns())} if others else {}
    data = FigureData(systems_of(folder, rows), languages=SPOKEN, files=files)
    return FIGURES[figure].draw(data, method_styles(str(row["method"]) for row in rows))


def svg(stem: Path) -> str:
    return stem.with_suffix(".svg").read_text(encoding="utf-8")


def marks(stem: Path, kind: str) -> int:
    return svg(stem).count(f'<g id="{kind}-')


def systems_of(folder: Path, rows: list[Row]) -> tuple[System, ...]:
    return read_systems(write_table(folder / "summary.csv", rows))
