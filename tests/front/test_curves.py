"""The course of trainings is drawn from their records."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mtpeft.cells import Cell
from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record
from mtpeft.figures.plotting.curves import Curve, draw_courses
from mtpeft.figures.plotting.style import KNOWN_STYLES, figure_style
from mtpeft.front.curves import draw_curves
from support.findings import train_record

HISTORY = [{"step": 0.0, "score": 30.0}, {"step": 10.0, "score": 41.5, "loss": 2.5}, {"step": 20.0, "score": 40.0}]
LABELS = ("small/es-en/n200/full/all/1", "small/es-en/n200/lora/large/1", "small/es-en/n200/lora/large/2")


@pytest.fixture(autouse=True)
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for labels in LABELS:
        cell = Cell.parse(labels)
        write(cell, dev_history=HISTORY, best_step=10)


def write(cell: Cell, **changes: object) -> None:
    record = cell.folder / "train.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    write_record(record, train_record(cell, best_step=10, status="ok") | changes)


def words_of(file: str) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", Path(file).read_text(encoding="utf-8")))


def test_cells_are_drawn_with_their_losses_and_named_by_what_they_differ_in() -> None:
    draw_curves(LABELS, Path("curves.svg"))
    words = words_of("curves.svg")
    for name in ("full 1", "lora large 1", "lora large 2", "dev chrF", "loss per token", "update"):
        assert name in words


def test_records_of_earlier_versions_have_no_losses_to_draw() -> None:
    write(Cell.parse(LABELS[0]), dev_history=[{"step": 0.0, "score": 1.0}, {"step": 5.0, "score": 2.0}])
    draw_curves(LABELS[:1], Path("curves.svg"))
    assert "loss" not in words_of("curves.svg")


def test_a_search_is_drawn_with_the_score_of_each_rate() -> None:
    drawn = []
    trials = [
        {"learning_rate": rate, "status": status, "best_step": 10, "dev_history": HISTORY, "seconds": 1.0}
        for rate, status in ((0.001, "ok"), (0.002, "ok"), (0.004, "diverged"))
    ]
    scores = [{"learning_rate": rate, "mean": mean} for rate, mean in ((0.001, 41.5), (0.002, 41.5), (0.004, None))]
    labels = {"budget": "large", "method": "lora", "model": "small", "size": "n200"}
    record = {"labels": labels, "trials": trials, "scores": scores, "learning_rate": 0.002}
    # Records of earlier versions have one trial of each rate, and no mean scores.
    for own in (record, {key: value for key, value in record.items() if key != "scores"}):
        write_record(Path("search.json"), own)
        draw_curves(["search.json"], Path("search.svg"))
        drawn.append(words_of("search.svg"))
    assert drawn[0] == drawn[1]
    words = drawn[0]
    for word in (
        "small n200 lora large",
        "0.001",
        "0.002",
        "0.004 (diverged)",
        "best dev chrF",
        "the chosen rate ringed",
    ):
        assert word in words


@pytest.mark.parametrize(
    ("what", "to", "said"),
    [
        (LABELS[:1], "curves.txt", "'curves.txt' is no figure"),
        (["search.json", *LABELS], "curves.pdf", "A search is drawn alone"),
        (["missing.json"], "curves.pdf", "'missing.json' is no record of a search"),
        (["small/es-en/n200/full/all/9"], "curves.pdf", "small/es-en/n200/full/all/9 is not trained here"),
        (["results/cells/small/es-en/n200/full/all/1/train.json"], "curves.pdf", "is no record of a search"),
    ],
)
def test_what_can_not_be_drawn_is_a_sentence(what: list[str], to: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        draw_curves(what, Path(to))
    assert not Path(to).exists()


def test_a_cell_that_trained_nothing_has_no_curve() -> None:
    write(Cell.parse(LABELS[0]), dev_history=[])
    with pytest.raises(UserError, match="has trained nothing"):
        draw_curves(LABELS[:1], Path("curves.pdf"))


def test_the_best_score_of_a_trial_is_one_after_an_update() -> None:
    """The score of update 0 is that of the base model, which all rates share."""
    assert Curve("0.001", updates=[0, 10, 20], scores=[30.0, 20.0, 10.0], losses=[None] * 3, kept=0).best == 20.0
    assert Curve("0.001", updates=[0], scores=[30.0], losses=[None], kept=0).best is None


def test_cells_with_the_same_labels_are_told_apart_and_the_legend_lies_inside(tmp_path: Path) -> None:
    folders = []
    for digest in ("00000001", "00000002"):
        cell = replace(Cell.parse("another-model-with-a-long-name/es-en/n200/full/all/1"), digest=digest)
        write(cell, dev_history=HISTORY)
        folders.append(str(cell.folder))
    draw_curves([*folders, LABELS[1]], Path("curves.svg"))
    words = words_of("curves.svg")
    assert "00000001" in words and "00000002" in words
    with figure_style():
        courses = [Curve(f"a long name of a cell {place}", [0, 1], [1.0, 2.0], [None, 1.0], 1) for place in range(3)]
        figure = draw_courses([(course, KNOWN_STYLES["full"]) for course in courses])
        figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
