"""The figures of many methods and of their layers, on small tables that are written here."""

from pathlib import Path

import pytest

from mtpeft.analysis.representations import COLUMNS
from mtpeft.figures.draw import draw_figure
from mtpeft.figures.plotting.panels import GAP, OPEN, POINT
from support.figures import (
    SPOKEN,
    Row,
    cells_of,
    draw,
    drawing_of,
    interval,
    lose,
    marks,
    one_panel,
    svg,
    system_row,
    write_table,
)

LABELS = ("model", "pair", "size", "method", "budget", "seed")


def names_of(folder: Path, rows: list[Row]) -> list[str]:
    return [label.get_text() for label in drawing_of(folder, "methods", rows).figure.axes[0].get_yticklabels()]


def test_every_method_has_a_row_the_best_first(tmp_path: Path) -> None:
    rows = [
        row | (interval("chrf", 40) if (row["method"], row["budget"]) == ("lora", "one") else {}) for row in one_panel()
    ]
    none = system_row(("base", "es-en", "any", "none", "any"), 27)
    assert names_of(tmp_path, [*rows, none]) == [
        *("at a budget", "LoRA", "adapter"),
        *("of one size", "BitFit"),
        *("to compare with", "full", "none"),
    ]


def test_fifty_methods_have_a_row_each_and_a_row_more_makes_the_figure_higher(tmp_path: Path) -> None:
    heights = []
    for count in (1, 50):
        more = [system_row(("base", "es-en", "large", f"m{place}", "one"), 30) for place in range(count)]
        rows = [*one_panel(), *more]
        assert len(names_of(tmp_path, rows)) == 7 + count
        heights.append(drawing_of(tmp_path, "methods", rows).figure.get_size_inches()[1] / (7 + count))
    assert heights[1] > 0.16


def test_a_score_outside_of_the_axis_is_named_at_the_edge_of_its_row(tmp_path: Path) -> None:
    far = system_row(("base", "es-en", "large", "scratch", "all"), 11.5)
    assert "\N{LEFTWARDS ARROW} 11.5" in svg(draw(tmp_path, "methods", [*one_panel(), far]))


def test_a_lost_method_keeps_its_row_with_a_gap(tmp_path: Path) -> None:
    rows = [lose(row, diverged=2) if row["method"] == "lora" else row for row in one_panel()]
    stem = draw(tmp_path, "methods", rows)
    assert marks(stem, GAP) == 2
    assert ">LoRA<" in svg(stem)
    assert f"{cells_of(rows) - 4} of {cells_of(rows)} cells (4 diverged)" in svg(stem)


def test_shares_that_differ_too_much_are_noted(tmp_path: Path) -> None:
    rows = [
        row | {"trained_share": 0.08} if (row["method"], row["budget"]) == ("lora", "ten") else row
        for row in one_panel()
    ]
    assert "do not compare exactly, at budget" in svg(draw(tmp_path, "methods", rows))


def rank_rows(labels: tuple[str, ...], ranks: dict[str, list[float]], **changes: object) -> list[Row]:
    """Rows of one cell."""
    common = {**dict(zip(LABELS, labels, strict=True)), "status": "ok", "step_zero": 0, "tokens": 9}
    layers = [(side, number, rank) for side, own in ranks.items() for number, rank in enumerate(own, 1)]
    return [common | {"side": side, "layer": n, "effective_rank": rank} | changes for side, n, rank in layers]


def lost_rows(labels: tuple[str, ...], status: str) -> list[Row]:
    return [dict(zip(LABELS, labels, strict=True)) | {"status": status}]


def draw_ranks(folder: Path, ranks: list[Row], rows: list[Row]) -> Path:
    params = {"figure": "representations", "cells": cells_of(rows), "stamp": "", "languages": SPOKEN}
    tables = [write_table(folder / "representations.csv", ranks, COLUMNS)]
    stem = folder / "representations"
    draw_figure(params, summary=write_table(folder / "summary.csv", rows), tables=tables, stem=stem)
    return stem


BASE, OF = ("base", "es-en"), ("base", "es-en", "large")
RANKS = {"encoder": [20.0, 18.0], "decoder": [22.0, 25.0]}
UNTOUCHED = rank_rows((*BASE, "any", "none", "any", "any"), RANKS)
ADAPTER = [row for seed in "12" for row in rank_rows((*OF, "adapter", "ten", seed), RANKS)]
SUMMARY = [row for row in one_panel() if (row["method"], row["budget"]) == ("adapter", "ten")]


def test_every_layer_of_both_sides_is_a_point_of_its_method(tmp_path: Path) -> None:
    stem = draw_ranks(tmp_path, [*UNTOUCHED, *ADAPTER], SUMMARY)
    assert (marks(stem, POINT), marks(stem, OPEN)) == (4, 0)
    text = svg(stem)
    assert "10 % trained" in text and ">none<" in text and ">adapter<" in text
    assert "Bars reach from the lowest seed to the highest." in text and "95 %" not in text
    assert "representations of 3 of 3 cells." in text


def test_seeds_that_kept_the_untouched_model_have_open_markers(tmp_path: Path) -> None:
    open_ = [row | {"step_zero": 1} for row in ADAPTER]
    assert marks(draw_ranks(tmp_path, [*UNTOUCHED, *open_], SUMMARY), OPEN) == 4


@pytest.mark.parametrize("kept", ["one seed", "none"])
def test_seeds_without_representations_are_told_at_the_name(kept: str, tmp_path: Path) -> None:
    first = [row for row in ADAPTER if row["seed"] == "1"] if kept == "one seed" else []
    first = first or lost_rows((*OF, "adapter", "ten", "1"), "diverged")
    ranks = [*UNTOUCHED, *first, *lost_rows((*OF, "adapter", "ten", "2"), "missing")]
    stem = draw_ranks(tmp_path, ranks, SUMMARY)
    told = "adapter (1 missing)" if kept == "one seed" else "adapter (1 diverged) (1 missing)"
    assert told in svg(stem)
    assert marks(stem, POINT) == (4 if kept == "one seed" else 0)
    assert f"representations of {2 if kept == 'one seed' else 1} of 3 cells" in svg(stem)


def test_without_a_table_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert "There is nothing to show yet." in svg(draw(tmp_path, "representations", SUMMARY))
