"""Facts about the figures, on small tables that are written here."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from mtpeft.analysis.read_tables import read_distances
from mtpeft.config.figures import FIGURES, TEXT_TABLE
from mtpeft.core.errors import UserError
from mtpeft.core.languages import DISTANCES
from mtpeft.figures.plotting.label_placement import spread_positions
from mtpeft.figures.plotting.notes_and_legend import coverage_of, uneven_budgets
from mtpeft.figures.plotting.panels import GAP, OPEN, POINT, RUN, Coverage
from mtpeft.figures.plotting.reference_lines import view_with
from mtpeft.figures.plotting.selection import with_runs_apart
from mtpeft.figures.plotting.style import KNOWN_STYLES, method_styles
from support.figures import Row, cells_of, draw, drawing_of, lose, marks, one_panel, study, svg, system_row, systems_of

PANELS = {"exposure": 2, "gain_kept": 3, "efficiency": 5, "languages": 2, "methods": 4}
"""Panels that show the same system, where there are several."""
OF_DIFFERENCES = ("gain_kept", "languages")
"""Figures that compare with full fine-tuning, and show nothing of it alone."""
OF_SYSTEMS = sorted(set(FIGURES) - {"representations", "serving"})
"""Figures of a summary; the others have a table of their own."""


@pytest.mark.parametrize("figure", OF_SYSTEMS)
def test_a_complete_figure_is_three_files_with_a_modest_mark(figure: str, tmp_path: Path) -> None:
    rows = [row for row in study() if row["model"] != "big" and row["size"] != "small"]
    stem = draw(tmp_path, figure, rows)
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert f"{cells_of(rows)} cells, 2 seeds" in svg(stem)
    assert "95 % intervals" in svg(stem)
    tables = 1 + (TEXT_TABLE in FIGURES[figure].needs)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [*[".csv"] * tables, ".pdf", ".png", ".svg"]


@pytest.mark.parametrize("figure", ["budgets", "languages"])
def test_the_same_table_gives_the_same_bytes(figure: str, tmp_path: Path) -> None:
    rows = one_panel()
    for name, order in (("first", rows), ("second", rows[::-1])):
        (tmp_path / name).mkdir()
        draw(tmp_path / name, figure, order)
    for suffix in (".pdf", ".svg", ".png"):
        first, second = ((tmp_path / name / figure).with_suffix(suffix) for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def bars(folder: Path, figure: str, rows: list[Row]) -> list[tuple[float, float]]:
    """Ends of all intervals that a figure draws."""
    ends = []
    for line in (
        line
        for axes in drawing_of(folder, figure, rows).figure.axes
        for line in axes.lines
        if len(line.get_xdata()) == 2
    ):
        across, up = [float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]
        ends.append(tuple(up if across[0] == across[1] else across))
    return sorted(ends)


@pytest.mark.parametrize(
    ("figure", "column", "method"),
    [
        ("budgets", "chrf", "adapter"),
        ("data_sizes", "chrf", "full"),
        ("models", "chrf", "adapter"),
        ("languages", "minus_full", "adapter"),
        ("efficiency", "minus_full", "adapter"),
        ("methods", "chrf", "adapter"),
    ],
)
def test_the_intervals_of_a_figure_are_those_of_the_table(
    figure: str, column: str, method: str, tmp_path: Path
) -> None:
    rows = [row for row in one_panel() if row["method"] in ("full", "adapter")]
    rows = [
        row | {f"{column}_low": 11.125, f"{column}_high": 47.25} if row["method"] == method else row for row in rows
    ]
    assert (11.125, 47.25) in bars(tmp_path, figure, rows)


def test_lost_cells_are_counted_marked_and_never_drawn(tmp_path: Path) -> None:
    rows = one_panel()
    lost = [
        lose(row, missing=1, diverged=1) if (row["method"], row["budget"]) == ("lora", "ten") else row for row in rows
    ]
    stem = draw(tmp_path, "budgets", lost, stamp="quick look: one pair", cells=cells_of(rows))
    assert f"{cells_of(rows) - 2} of {cells_of(rows)} cells (1 missing, 1 diverged)" in svg(stem)
    assert "quick look: one pair" in svg(stem)
    # BitFit, two budgets of the adapter and one of LoRA; full fine-tuning is a band.
    assert marks(stem, POINT) == 4
    assert marks(stem, GAP) == 1


@pytest.mark.parametrize("figure", ["budgets", "languages", "models", "data_sizes", "exposure"])
def test_a_system_that_lacks_one_seed_is_drawn_and_marked(figure: str, tmp_path: Path) -> None:
    rows = [row | {"seeds": 1, "missing": 1} if row["method"] == "adapter" else row for row in one_panel()]
    stem = draw(tmp_path, figure, rows)
    assert marks(stem, GAP) == 2 * PANELS.get(figure, 1)
    assert marks(stem, POINT) == marks(draw(tmp_path, figure, one_panel()), POINT)


def test_a_lost_seed_of_full_fine_tuning_is_noted_at_its_line(tmp_path: Path) -> None:
    rows = [row | {"seeds": 1, "diverged": 1} if row["method"] == "full" else row for row in one_panel()]
    assert "full (1 diverged)" in svg(draw(tmp_path, "budgets", rows))


def test_cells_that_have_no_row_are_missing(tmp_path: Path) -> None:
    assert "4 of 5 cells (1 missing)" in svg(draw(tmp_path, "budgets", study()[:2], cells=5))


@pytest.mark.parametrize("figure", OF_SYSTEMS)
def test_a_system_with_a_seed_at_step_0_has_an_open_marker(figure: str, tmp_path: Path) -> None:
    rows = [
        row | {"step_zero": 1} if row["budget"] == "ten" and row["method"] == "lora" else row for row in one_panel()
    ]
    whole = marks(draw(tmp_path, figure, one_panel()), POINT)
    stem = draw(tmp_path, figure, rows)
    assert (marks(stem, OPEN), marks(stem, POINT)) == (PANELS.get(figure, 1), whole - PANELS.get(figure, 1))
    assert "Open: " in svg(stem)


@pytest.mark.parametrize("figure", OF_SYSTEMS)
@pytest.mark.parametrize("kept", ["nothing", "lost", "references", "one system"])
def test_partial_tables_do_not_crash(figure: str, kept: str, tmp_path: Path) -> None:
    rows = {
        "nothing": [],
        "lost": [lose(row, missing=2) for row in study()],
        "references": [row for row in study() if row["method"] in ("none", "retrieval")],
        "one system": study()[:1],
    }[kept]
    text = svg(draw(tmp_path, figure, rows, cells=9999))
    finished = sum(int(row["seeds"]) for row in rows)
    assert f"{finished} of 9999 cells ({9999 - finished} missing)" in text
    assert ("There is nothing to show yet." in text) == (kept != "one system" or figure in OF_DIFFERENCES)


def test_a_reference_far_from_the_methods_is_named_at_the_edge_with_its_score(tmp_path: Path) -> None:
    far = system_row(("base", "es-en", "large", "scratch", "all"), 11.5)
    text = svg(draw(tmp_path, "budgets", [*one_panel(), far, system_row(("base", "es-en", "any", "none", "any"), 29)]))
    assert "scratch 11.5 \N{DOWNWARDS ARROW}" in text
    assert ">none<" in text


@pytest.mark.parametrize(("value", "is_seen"), [(28, True), (25.1, True), (24.9, False), (47, False)])
def test_a_view_grows_by_half_for_a_reference_and_not_more(value: float, is_seen: bool) -> None:
    low, high = view_with((30, 40), [value])
    assert (low <= value <= high) == is_seen
    assert low > 24 and high < 46


def test_systems_of_one_budget_stand_below_each_other_with_their_shares(tmp_path: Path) -> None:
    rows = [row for row in one_panel() if row["budget"] in ("ten", "all")]
    text = svg(draw(tmp_path, "budgets", rows))
    assert "adapter 10 %" in text
    assert "trained share" not in text
    assert "trained share" in svg(draw(tmp_path, "budgets", one_panel()))


def test_models_stand_in_the_order_of_the_study_below_the_band_of_the_first(tmp_path: Path) -> None:
    rows = [row for row in study() if row["pair"] == "es-en" and row["size"] in ("large", "any")]
    for models in (["base", "big"], ["big", "base"]):
        text = svg(draw(tmp_path, "models", rows, models=models))
        assert f"full, {models[0]}<" in text
        assert text.index(f">{models[0]}, ") < text.index(f">{models[1]}, ")


def test_no_text_is_smaller_than_print_allows(tmp_path: Path) -> None:
    for figure in FIGURES:
        text = svg(draw(tmp_path, figure, one_panel()))
        sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)]
        assert sizes and min(sizes) >= 6.5


@pytest.mark.parametrize(("achieved", "uneven"), [(0.0953, False), (0.0952, True)])
def test_shares_that_differ_by_five_per_cent_are_noted(achieved: float, uneven: bool, tmp_path: Path) -> None:
    rows = [
        system_row(("base", "es-en", "large", "adapter", "ten"), 34, trained_share=0.1),
        system_row(("base", "es-en", "large", "lora", "ten"), 34, trained_share=achieved),
    ]
    assert (list(uneven_budgets(systems_of(tmp_path, rows))) == ["ten"]) == uneven
    assert ("Achieved shares differ" in svg(draw(tmp_path, "budgets", rows))) == uneven


def test_a_cell_counts_once_however_many_test_sets_it_has(tmp_path: Path) -> None:
    row = system_row(("base", "es-en", "large", "lora", "ten"), 30, missing=1)
    assert coverage_of(systems_of(tmp_path, [row, row | {"test_set": "far"}]), 1) == Coverage(
        "2 of 3 cells (1 missing)", is_complete=False
    )


def test_methods_keep_their_colour_and_never_share_one() -> None:
    few, many = (
        method_styles(["lora", "full"]),
        method_styles(["lora", "full", "adapter", *(f"own{i:02}" for i in range(20))]),
    )
    assert few["lora"] == many["lora"]
    assert method_styles(["zeta", "alpha"]) == method_styles(["alpha", "zeta"])
    assert len({style.colour for style in many.values()}) == len(many)


def test_methods_differ_without_colour() -> None:
    tuned = [style for method, style in KNOWN_STYLES.items() if method not in ("none", "scratch", "retrieval")]
    assert len({style.marker for style in tuned}) == len(tuned)


def test_a_method_of_the_catalogue_has_one_colour_in_all_figures(tmp_path: Path) -> None:
    rows = [row | {"method": "zeta"} if row["method"] == "lora" else row for row in one_panel()]
    catalogue = ["alpha", "zeta"]
    colour = method_styles(catalogue)["zeta"].colour
    for figure in ("budgets", "models"):
        assert colour.lower() in svg(draw(tmp_path, figure, rows, methods=catalogue)).lower()


def test_the_shipped_distances_are_plausible() -> None:
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
        ({"seeds": "some"}, "seeds"),
        ({"missing": ""}, "missing"),
        ({"trained_share": 7}, "share"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(changes: Row, word: str, tmp_path: Path) -> None:
    rows = [system_row(("base", "es-en", "large", "lora", "ten"), 30, **changes)]
    with pytest.raises(UserError, match=f"summary.csv line 2: .*{word}"):
        systems_of(tmp_path, rows)


def test_an_unknown_figure_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pie.*budgets"):
        draw(tmp_path, "pie", [])


def test_labels_move_apart_and_stay_inside() -> None:
    placed = spread_positions([5, 5, 5, 90], 10, low=0, high=100)
    assert placed[3] == 90
    assert all(later - earlier >= 9.99 for earlier, later in pairwise(placed))
    assert min(placed) >= 0


def test_rows_that_read_examples_say_which(tmp_path: Path) -> None:
    read = {"near": "5 nearest", "drawn": "2 random"}
    more = [system_row(("base", "es-en", "large", method, "any"), 28) for method in read]
    for examples in ({}, read):
        shown = draw(tmp_path, "budgets", [*one_panel(), *more], examples=examples).with_suffix(".svg")
        text = shown.read_text(encoding="utf-8")
        assert all(method in text for method in read)
        assert ["near (5 nearest)" in text, "drawn (2 random)" in text] == [bool(examples)] * 2


BY_RUN = {"chrf_sentences_low": 29.7, "chrf_sentences_high": 30.4}


@pytest.mark.parametrize(("runs", "shown"), [("30.1", 0), ("29.0 31.0", 1), ("29 30 31", 1), ("29 30 31 32", 0)])
def test_few_seeds_are_points_beside_an_interval_over_sentences(tmp_path: Path, runs: str, shown: int) -> None:
    wide = {"chrf": 30.0, "chrf_low": 20.0, "chrf_high": 40.0, "chrf_runs": runs, **BY_RUN}
    rows = [row | wide if row["method"] == "lora" and row["budget"] == "ten" else row for row in one_panel()]
    stem = draw(tmp_path, "budgets", rows)
    assert marks(stem, RUN) == shown
    assert ("a small point for each" in " ".join(re.findall(r">([^<>]+)<", svg(stem)))) == bool(shown)
    (system,) = [own for own in systems_of(tmp_path, rows) if (own.method, own.budget) == ("lora", "ten")]
    drawn = with_runs_apart(system).score
    assert (drawn.low, drawn.high) == ((29.7, 30.4) if shown else (20.0, 40.0))
