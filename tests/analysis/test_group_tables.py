"""Tables and figures of cells over several pairs: a row and a panel for each pair that was scored."""

import csv
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from mtpeft.analysis.read_tables import read_systems
from mtpeft.analysis.score_tables import score_columns, write_tables
from mtpeft.analysis.summary import summary_columns, write_summary
from mtpeft.cells import Cell, members_of
from mtpeft.config.figures import FIGURES, TEXT_TABLE
from mtpeft.figures.draw import draw_figure
from mtpeft.steps.cells_of_studies import placed_study_cells
from support.figures import SPOKEN, Row, write_text_table
from support.findings import configuration_of, write_cell

GROUP = "es-en+tr-en"
STUDY = {"figure": "budgets", "pairs": ["es-en", GROUP], "methods": ["full", "adapter", "none"], "also": []}
QUALITY = {"full": 50.0, "adapter": 46.0, "none": 30.0}
LOST = Cell("base", GROUP, "many", "adapter", "tiny", "3")


def rows_of(file: str) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a study of a pair and of a group, where one cell of the group is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("groups"))
        cells = placed_study_cells(configuration_of(studies={"shares": STUDY}), configuration(STUDY))
        for cell in cells:
            for _, pair in cell.measured if cell != LOST else ():
                # Turkish is 10 chrF worse; trained together, everything is 1 better.
                write_cell(cell, QUALITY[cell.method] - 10 * (pair == "tr-en") + cell.is_group, pair=pair)
        write_tables(cells, scores=Path("scores.csv"), costs=Path("costs.csv"), missing=[LOST])
        write_summary(cells, output=Path("summary.csv"), page=Path("summary.md"), missing=[LOST])
        return Path.cwd()


def configuration(study: dict[str, object]):
    """The study itself, as the configuration has it."""
    return configuration_of(studies={"shares": study}).studies["shares"]


def test_scores_have_a_row_for_each_pair_that_was_scored(folder: Path) -> None:
    rows = rows_of(str(folder / "scores.csv"))
    place = score_columns().index("test_set")
    assert tuple(rows[0]) == (*score_columns()[:place], "scored_pair", *score_columns()[place:])
    assert all(row["scored_pair"] in members_of(row["pair"]) for row in rows)
    groups = [row for row in rows if row["pair"] == GROUP]
    assert len({tuple(row.values())[:6] for row in groups}) == len(groups) / 2
    assert [row["status"] for row in groups if row["seed"] == "3" and row["budget"] == "tiny"] == ["missing"] * 2
    for row in rows_of(str(folder / "costs.csv")):
        if row["status"] == "ok" and row["method"] != "none":
            assert float(row["decode_seconds"]) == 2.0 * len(members_of(row["pair"]))


def test_a_system_of_a_group_is_compared_on_each_of_its_pairs(folder: Path) -> None:
    rows = rows_of(str(folder / "summary.csv"))
    place = summary_columns().index("test_set")
    assert tuple(rows[0]) == (*summary_columns()[:place], "scored_pair", *summary_columns()[place:])
    found = {(row["pair"], row["scored_pair"], row["method"], row["budget"]): row for row in rows}
    assert len(found) == len(rows)
    scores = rows_of(str(folder / "scores.csv"))

    def mean(pair: str, scored: str, *methods: str) -> float:
        """Of the two seeds that all systems of the group have, and of the one run of a reference row."""
        own = (row for row in scores if (row["pair"], row["scored_pair"], row["method"]) == (pair, scored, methods[0]))
        return fmean(float(row["chrf"]) for row in own if row["budget"] in methods[1:] and row["seed"] != "3")

    for pair in ("es-en", "tr-en"):
        own, chrf = found[GROUP, pair, "adapter", "tiny"], mean(GROUP, pair, "adapter", "tiny")
        assert float(own["chrf"]) == pytest.approx(chrf)
        assert float(own["minus_none"]) == pytest.approx(chrf - mean(pair, pair, "none", "any"))
        assert float(own["minus_full"]) == pytest.approx(chrf - mean(GROUP, pair, "full", "all"))
        assert (own["seeds"], own["missing"]) == ("2", "1")


def test_tables_without_groups_have_no_such_column(tmp_path: Path, folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    cell = Cell.find("base/es-en/any/none/any/any")
    write_tables([cell], scores=tmp_path / "scores.csv", costs=tmp_path / "costs.csv")
    assert tuple(rows_of(str(tmp_path / "scores.csv"))[0]) == score_columns()


@pytest.mark.parametrize("figure", [*FIGURES])
def test_a_group_is_a_system_of_its_own_in_the_panel_of_each_pair(folder: Path, tmp_path: Path, figure: str) -> None:
    summary = folder / "summary.csv"
    systems = read_systems(summary)
    named = f"adapter ({GROUP})"
    assert {own.setting.pair for own in systems if own.method == named} == {"es-en", "tr-en"}
    assert not any(GROUP in own.setting.pair for own in systems)
    cells = sum(own.seeds + own.missing for own in {replace_pair(own): own for own in systems}.values())
    told = {"figure": figure, "study": figure, "cells": cells, "languages": SPOKEN, "methods": list(QUALITY)}
    read: list[Row] = [vars(own.setting) for own in systems]
    tables = [write_text_table(tmp_path, read)] if TEXT_TABLE in FIGURES[figure].needs else []
    draw_figure({**told, "from": ["en"]}, summary=summary, tables=tables, stem=tmp_path / figure)
    drawn = (tmp_path / f"{figure}.svg").read_text(encoding="utf-8")
    assert f"of {cells} cells (1 missing)" in drawn
    if figure in ("budgets", "models"):
        assert named in drawn
        assert f"full ({GROUP})" in drawn


def replace_pair(system) -> tuple[object, ...]:
    """Labels that the cells of a system share, and no cells of others have."""
    return replace(system.setting, pair=system.tuned_on), system.method, system.budget
