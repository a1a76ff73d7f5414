"""The figure of what tuning costs on other pairs, on small tables that are written here."""

from pathlib import Path

from mtpeft.figures.plotting.panels import GAP, POINT
from support.figures import (
    cells_of,
    draw,
    drawing_of,
    lose,
    marks,
    other_rows,
    study,
    svg,
)

TITLES = ("es\N{EN DASH}en, tuned", "tr\N{EN DASH}en", "de\N{EN DASH}en")
BASE = [row for row in study() if row["model"] == "base" and row["size"] in ("large", "any")]
SPANISH = [row for row in BASE if row["pair"] == "es-en" or row["method"] == "none"]
TURKISH = [row for row in BASE if row["pair"] == "tr-en"]


def test_the_loss_on_other_pairs_is_drawn_beside_the_gain_on_the_own_pair(tmp_path: Path) -> None:
    others = [*other_rows(SPANISH, "tr-en", -20), *other_rows(SPANISH, "de-en", -1)]
    stem = draw(tmp_path, "forgetting", SPANISH, others, also_score=["tr-en", "de-en"])
    text = svg(stem)
    places = [text.index(f">{title}<") for title in TITLES]
    assert places == sorted(places)
    assert text.count(">none<") == text.count(">full<") == 3
    # BitFit and two budgets of two methods on each of three pairs.
    assert marks(stem, POINT) == 3 * 5
    assert f"{cells_of(SPANISH)} cells, 2 seeds; {cells_of(others)} decodings of other pairs, 2 seeds." in text


def test_a_score_that_is_missing_on_another_pair_is_a_gap(tmp_path: Path) -> None:
    others = other_rows(SPANISH, "tr-en", -20)
    lost = [lose(row, missing=2) | {"scored_pair": "tr-en"} if row["budget"] == "ten" else row for row in others]
    stem = draw(tmp_path, "forgetting", SPANISH, lost)
    assert (marks(stem, POINT), marks(stem, GAP)) == (5 + 3, 2)
    assert f"{cells_of(lost)} decodings of other pairs (4 missing)" in svg(stem)


def test_without_the_untouched_model_nothing_is_drawn(tmp_path: Path) -> None:
    unknown = [
        {name: value for name, value in row.items() if not name.startswith("minus_none")}
        for row in other_rows(SPANISH, "tr-en", 0)
    ]
    known = [row for row in SPANISH if (row["method"], row["pair"]) != ("none", "tr-en")]
    untouched = lose(next(row for row in SPANISH if row not in known), missing=1)
    stem = draw(tmp_path, "forgetting", [*known, untouched], unknown)
    assert (marks(stem, POINT), marks(stem, GAP)) == (5, 5)


def test_every_tuned_setting_has_a_row_of_panels_in_one_range(tmp_path: Path) -> None:
    others = [*other_rows(SPANISH, "tr-en", -20), *other_rows(SPANISH, "de-en", -1), *other_rows(TURKISH, "de-en", -2)]
    drawing = drawing_of(tmp_path, "forgetting", BASE, others)
    assert [axes.get_title() for axes in drawing.figure.axes if axes.axison] == [
        "es\N{EN DASH}en, tuned",
        "de\N{EN DASH}en",
        "tr\N{EN DASH}en",
        "tr\N{EN DASH}en, tuned",
        "de\N{EN DASH}en",
    ]
    (limits,) = {axes.get_ylim() for axes in drawing.figure.axes if axes.axison}
    assert limits[0] < -20.5 and limits[1] > 3.75


def test_budgets_of_one_share_stand_side_by_side(tmp_path: Path) -> None:
    rows = [row for row in SPANISH if row["budget"] in ("ten", "all", "any")]
    (axes,) = drawing_of(tmp_path, "forgetting", rows).figure.axes
    places = {float(line.get_xdata()[0]) for line in axes.lines if str(line.get_gid()).startswith(POINT)}
    assert len(places) == 2
    low, high = axes.get_xlim()
    assert low < 0.06 and high > 0.15
