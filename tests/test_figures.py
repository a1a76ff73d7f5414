"""Facts about the figures, on small tables that are written here."""

import csv
from itertools import pairwise, product
from pathlib import Path

import pytest

from mtpeft.cells import DIMENSIONS
from mtpeft.errors import UserError
from mtpeft.figures.draw import FIGURES, completeness, draw_figure
from mtpeft.figures.groups import gap_to_full, group_seeds, uneven_budgets
from mtpeft.figures.labels import spread_positions
from mtpeft.figures.languages import language_of
from mtpeft.figures.panels import GAP, HOLLOW, POINT
from mtpeft.figures.style import looks_of
from mtpeft.figures.tables import DISTANCES, read_distances, read_tables

SCORE_COLUMNS = (
    *DIMENSIONS,
    *("test_set", "status", "chrf", "bleu", "budget_requested", "budget_achieved", "trained_parameters"),
    *("total_parameters", "best_step", "training_pairs", "learning_rate", "test_sentences"),
)
COST_COLUMNS = (
    *DIMENSIONS,
    *("status", "trained_parameters", "stored_bytes", "peak_memory_mb", "train_seconds", "train_tokens_per_second"),
    *("decode_seconds", "decode_sentences_per_second", "device"),
)
SHARES = {"one": 0.01, "ten": 0.1, "all": 1.0, "native": 0.004}
PAIRS_OF_SIZE = {"small": 250, "large": 4000}


def score_row(labels: tuple[str, ...], score: float, **changes: object) -> dict[str, object]:
    share = SHARES.get(labels[4], "")
    return {
        **dict(zip(DIMENSIONS, labels, strict=True)),
        "test_set": "test",
        "status": "ok",
        "chrf": score,
        "bleu": score / 3,
        "budget_requested": share,
        "budget_achieved": share,
        "total_parameters": 1000,
        "best_step": 10,
        "training_pairs": PAIRS_OF_SIZE.get(labels[2], ""),
        "learning_rate": 0.003,
        "test_sentences": 100,
        **changes,
    }


def study() -> list[dict[str, object]]:
    """Two models, pairs, sizes and seeds with full tuning, two methods at two budgets, a point, and references."""
    cells = [("full", "all"), ("bitfit", "native"), *product(("adapter", "lora"), ("one", "ten"))]
    rows = []
    for place, (model, pair, size, (method, budget), seed) in enumerate(
        product(("base", "big"), ("es-en", "tr-en"), ("small", "large"), cells, ("1", "2"))
    ):
        rows.append(score_row((model, pair, size, method, budget, seed), 30 + place % 7))
    for pair, size in product(("es-en", "tr-en"), ("small", "large")):
        rows.append(score_row(("any", pair, size, "retrieval", "any", "any"), 28))
    for model, pair in product(("base", "big"), ("es-en", "tr-en")):
        rows.append(score_row((model, pair, "any", "none", "any", "any"), 27))
    return rows


def lose(row: dict[str, object], status: str) -> dict[str, object]:
    return {**row, "status": status, "chrf": "", "bleu": "", "budget_achieved": "", "best_step": ""}


def cost_row(row: dict[str, object]) -> dict[str, object]:
    share = float(row["budget_achieved"] or 0)
    return {
        **{name: row[name] for name in (*DIMENSIONS, "status")},
        "trained_parameters": 1000 * share,
        "stored_bytes": 4000 * share,
        "peak_memory_mb": 100 + share,
        "train_seconds": 20 + share,
        "decode_sentences_per_second": 300,
        "device": "cpu",
    }


def write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def draw(folder: Path, figure: str, rows: list[dict[str, object]], **settings: object) -> Path:
    scores = write_table(folder / "scores.csv", SCORE_COLUMNS, rows)
    costs = write_table(folder / "costs.csv", COST_COLUMNS, [cost_row(row) for row in rows])
    stem = folder / f"{figure}"
    cells = len({tuple(row[name] for name in DIMENSIONS) for row in rows})
    draw_figure(
        {"recipe": 1, "figure": figure, "study": figure, "cells": cells, "stamp": "", **settings},
        scores=scores,
        costs=costs,
        stem=stem,
    )
    return stem


def svg(stem: Path) -> str:
    return stem.with_suffix(".svg").read_text(encoding="utf-8")


def marks(stem: Path, kind: str) -> int:
    return svg(stem).count(f'<g id="{kind}-')


def groups_of(folder: Path, rows: list[dict[str, object]]):
    scores = write_table(folder / "scores.csv", SCORE_COLUMNS, rows)
    costs = write_table(folder / "costs.csv", COST_COLUMNS, [])
    return group_seeds(read_tables(scores=scores, costs=costs).scores)


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_a_complete_figure_is_three_files_with_a_modest_mark(figure: str, tmp_path: Path) -> None:
    rows = [row for row in study() if row["model"] != "big" and row["size"] != "small"]
    stem = draw(tmp_path, figure, rows)
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert f"{len(rows)} cells, 2 seeds" in svg(stem)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".csv", ".pdf", ".png", ".svg"]


@pytest.mark.parametrize("figure", ["budgets", "languages"])
def test_the_same_tables_give_the_same_bytes(figure: str, tmp_path: Path) -> None:
    rows = [row for row in study() if (row["model"], row["pair"], row["size"]) == ("base", "es-en", "large")]
    for name, order in (("first", rows), ("second", rows[::-1])):
        (tmp_path / name).mkdir()
        draw(tmp_path / name, figure, order)
    for suffix in (".pdf", ".svg", ".png"):
        first, second = ((tmp_path / name / figure).with_suffix(suffix) for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_lost_cells_are_counted_marked_and_never_drawn(tmp_path: Path) -> None:
    rows = [row for row in study() if (row["model"], row["pair"], row["size"]) == ("base", "es-en", "large")]
    lost = [
        lose(row, "missing" if row["seed"] == "1" else "diverged")
        if (row["method"], row["budget"]) == ("lora", "ten")
        else row
        for row in rows
    ]
    stem = draw(tmp_path, "budgets", lost, stamp="quick look: one pair", cells=len(rows))
    assert f"{len(rows) - 2} of {len(rows)} cells (1 missing, 1 diverged)" in svg(stem)
    assert "quick look: one pair" in svg(stem)
    # BitFit, two budgets of the adapter and one of LoRA; full fine-tuning is a band.
    assert marks(stem, POINT) == 4
    assert marks(stem, GAP) == 1


def test_a_lost_seed_of_full_tuning_is_told_at_its_line(tmp_path: Path) -> None:
    rows = [row for row in study() if (row["model"], row["pair"], row["size"]) == ("base", "es-en", "large")]
    rows = [lose(row, "diverged") if (row["method"], row["seed"]) == ("full", "2") else row for row in rows]
    assert "full (1 diverged)" in svg(draw(tmp_path, "budgets", rows))


def test_cells_that_have_no_row_are_missing(tmp_path: Path) -> None:
    rows = study()[:2]
    assert "2 of 5 cells (3 missing)" in svg(draw(tmp_path, "budgets", rows, cells=5))


def test_a_seed_that_kept_step_zero_is_hollow(tmp_path: Path) -> None:
    rows = [row for row in study() if (row["model"], row["pair"], row["size"]) == ("base", "es-en", "large")]
    rows = [{**row, "best_step": 0} if row["method"] == "bitfit" and row["seed"] == "1" else row for row in rows]
    stem = draw(tmp_path, "budgets", rows)
    assert (marks(stem, HOLLOW), marks(stem, POINT)) == (1, 4)
    assert "Hollow" in svg(stem)


@pytest.mark.parametrize("figure", sorted(FIGURES))
@pytest.mark.parametrize("kept", ["nothing", "lost", "references", "one seed"])
def test_partial_tables_do_not_crash(figure: str, kept: str, tmp_path: Path) -> None:
    rows = {
        "nothing": [],
        "lost": [lose(row, "missing") for row in study()],
        "references": [row for row in study() if row["method"] in ("none", "retrieval")],
        "one seed": study()[:1],
    }[kept]
    text = svg(draw(tmp_path, figure, rows, cells=9999))
    assert f" of 9999 cells ({9999 - (len(rows) if kept != 'lost' else 0)} missing)" in text
    assert ("There is nothing to show yet." in text) == (kept != "one seed" or figure == "languages")


def test_groups_average_only_what_was_scored(tmp_path: Path) -> None:
    labels = ("base", "es-en", "large", "lora", "ten")
    rows = [score_row((*labels, "1"), 30), score_row((*labels, "2"), 33), lose(score_row((*labels, "3"), 0), "missing")]
    (group,) = groups_of(tmp_path, rows)
    spread = group.spread
    assert spread is not None
    assert (spread.mean, spread.low, spread.high, spread.count) == (31.5, 30, 33, 2)
    assert group.gaps == ("missing",)


def test_the_gap_to_full_matches_seeds(tmp_path: Path) -> None:
    rows = [
        score_row(("base", "es-en", "large", "full", "all", "1"), 36),
        score_row(("base", "es-en", "large", "full", "all", "2"), 90),
        score_row(("base", "es-en", "large", "lora", "ten", "1"), 34),
        score_row(("base", "es-en", "large", "lora", "ten", "3"), 10),
    ]
    full, lora = groups_of(tmp_path, rows)
    gap = gap_to_full(lora, full)
    assert gap is not None
    assert (gap.mean, gap.count) == (-2, 1)
    assert gap_to_full(lora, None) is None


@pytest.mark.parametrize(("achieved", "uneven"), [(0.0953, False), (0.0952, True)])
def test_shares_that_differ_by_five_per_cent_are_told(achieved: float, uneven: bool, tmp_path: Path) -> None:
    rows = [
        score_row(("base", "es-en", "large", "adapter", "ten", "1"), 34, budget_achieved=0.1),
        score_row(("base", "es-en", "large", "lora", "ten", "1"), 34, budget_achieved=achieved),
    ]
    assert (list(uneven_budgets(groups_of(tmp_path, rows))) == ["ten"]) == uneven
    assert ("Achieved shares differ" in svg(draw(tmp_path, "budgets", rows))) == uneven


def test_a_cell_counts_once_however_many_test_sets_it_has(tmp_path: Path) -> None:
    labels = ("base", "es-en", "large", "lora", "ten", "1")
    rows = [score_row(labels, 30), lose(score_row(labels, 0), "missing") | {"test_set": "far"}]
    tables = [row for group in groups_of(tmp_path, rows) for row in group.rows]
    assert completeness(tables, 1) == ("0 of 1 cells (1 missing)", False)


def test_methods_keep_their_colour_and_never_share_one() -> None:
    few, many = looks_of(["lora", "full"]), looks_of(["lora", "full", "adapter", *(f"own{i:02}" for i in range(20))])
    assert few["lora"] == many["lora"]
    assert looks_of(["zeta", "alpha"]) == looks_of(["alpha", "zeta"])
    assert len({look.colour for look in many.values()}) == len(many)


def test_a_method_of_the_catalogue_has_one_colour_in_all_figures(tmp_path: Path) -> None:
    rows = [{**row, "method": "zeta"} if row["method"] == "lora" else row for row in study()]
    catalogue = ["alpha", "zeta"]
    colour = looks_of(catalogue)["zeta"].colour
    for figure in ("budgets", "models"):
        assert colour.lower() in svg(draw(tmp_path, figure, rows[:12], methods=catalogue)).lower()


@pytest.mark.parametrize(
    ("pair", "language"),
    [("es-en", "es"), ("en-tr", "tr"), ("zh-Hans-en", "zh"), ("en-pt_BR", "pt"), ("es-tr", None), ("en-en", None)],
)
def test_the_language_of_a_pair_is_the_one_that_is_not_english(pair: str, language: str | None) -> None:
    assert language_of(pair) == language


def test_the_shipped_distances_are_distances() -> None:
    distances = read_distances(DISTANCES)
    wanted = "es de tr zh pt hu fr it nl sv cs sk pl ru uk el fi et lt ga ja ko ar he hi id vi sw ca ro bg da nb"
    assert set(wanted.split()) <= set(distances)
    assert all(0 < d.syntactic <= 1 and 0 < d.genealogical <= 1 for d in distances.values())
    assert distances["sv"].syntactic < distances["es"].syntactic < distances["tr"].syntactic
    assert distances["de"].genealogical < distances["es"].genealogical < distances["tr"].genealogical == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"chrf": "high"}, "chrf"),
        ({"chrf": ""}, "chrf"),
        ({"status": "done"}, "status"),
        ({"budget_achieved": 7}, "share"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(changes: dict[str, object], word: str, tmp_path: Path) -> None:
    rows = [score_row(("base", "es-en", "large", "lora", "ten", "1"), 30, **changes)]
    with pytest.raises(UserError, match=f"scores.csv line 2: .*{word}"):
        groups_of(tmp_path, rows)


def test_an_unknown_figure_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "scores.csv", SCORE_COLUMNS, [])
    with pytest.raises(UserError, match=r"pie.*budgets"):
        draw_figure(
            {"figure": "pie", "cells": 0},
            scores=tmp_path / "scores.csv",
            costs=tmp_path / "scores.csv",
            stem=tmp_path / "pie",
        )


def test_labels_move_apart_and_stay_inside() -> None:
    placed = spread_positions([5, 5, 5, 90], 10, low=0, high=100)
    assert placed[3] == 90
    assert all(later - earlier >= 9.99 for earlier, later in pairwise(placed))
    assert min(placed) >= 0
