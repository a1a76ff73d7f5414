"""Summaries: one row per system, with the numbers of its cells and nothing made up."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mtpeft.analysis.summary import summary_columns, write_summary
from mtpeft.cells import Cell
from mtpeft.core.files import read_record
from mtpeft.steps.cells_of_studies import placed_study_cells
from support.findings import configuration_of, write_cell

Row = dict[str, str]


def quality(cell: Cell) -> float:
    return {"full": 50.0, "none": 30.0, "scratch": 20.0}.get(cell.method, 40.0) + 0.2 * int(
        cell.seed.replace("any", "0")
    )


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Row]:
    """The study `shares`, in which one cell diverged, one is missing and one chose step 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("summary"))
        configuration = configuration_of()
        cells = placed_study_cells(configuration, configuration.studies["shares"])
        gone = [cell for cell in cells if cell.path.endswith("es-en/many/lora/tiny/3")]
        for cell in cells:
            status = "diverged" if cell.path.endswith("es-en/many/lora/tiny/2") else "ok"
            step = 0 if cell.path.endswith("es-en/many/lora/tiny/1") else None if cell.method == "none" else 10
            if cell not in gone:
                write_cell(cell, quality(cell), status=status, best_step=step)
        for name in ("one", "two"):
            write_summary(reversed(cells), output=Path(f"{name}.csv"), page=Path(f"{name}.md"), missing=gone)
        assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
        with open("one.csv", encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream))
        assert tuple(table[0]) == summary_columns()
        assert len(Path("one.md").read_text(encoding="utf-8").splitlines()) == len(table) + 2
        scores = {cell: read_record(cell.folder / "score.json") for cell in cells if cell not in gone}
        for row in table:
            own = [
                record["test_sets"]["test"]["chrf"]["score"]
                for cell, record in scores.items()
                if record["status"] == "ok" and all(getattr(cell, name) == row[name] for name in list(row)[:5])
            ]
            assert float(row["chrf"]) == pytest.approx(np.mean(own), abs=1e-7)
    return {(row["pair"], row["method"], row["budget"]): row for row in table}


def test_scores_and_differences_in_chrf_are_what_they_have_always_been(rows: dict[tuple[str, ...], Row]) -> None:
    """To the last digit: results that were published before there were other metrics hold."""
    row = rows["de-en", "adapter", "large"]
    names = ("chrf", "chrf_low", "chrf_high", "minus_full", "minus_full_low", "minus_full_high", "minus_none")
    before = "39.534 38.54936939 40.51886362 -10.00066667 -10.17536667 -9.823933333 10.408"
    assert [row[name] for name in names] == before.split()
    assert float(row["minus_full_p"]) < 0.01 and float(row["bleu_minus_full_p"]) < 0.01


def test_every_system_has_a_row(rows: dict[tuple[str, ...], Row]) -> None:
    assert len(rows) == 2 * (1 + 3 + 3 + 1 + 1)
    assert list(rows) == sorted(rows, key=lambda key: (key[0], rows[key]["size"], *key[1:]))


def test_differences_are_those_of_the_means_inside_their_intervals(rows: dict[tuple[str, ...], Row]) -> None:
    for key, row in rows.items():
        full, none = rows[key[0], "full", "all"], rows[key[0], "none", "any"]
        if key[1] not in ("full", "none") and row["seeds"] == "3":
            assert float(row["minus_full"]) == pytest.approx(float(row["chrf"]) - float(full["chrf"]), abs=1e-7)
            assert float(row["minus_none"]) == pytest.approx(float(row["chrf"]) - float(none["chrf"]), abs=1e-7)
        for name in ("chrf", "bleu", "minus_full", "minus_none"):
            if row[name]:
                assert float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"])


def test_references_are_not_compared_with_themselves(rows: dict[tuple[str, ...], Row]) -> None:
    assert rows["es-en", "full", "all"]["minus_full"] == ""
    assert rows["es-en", "none", "any"]["minus_none"] == rows["es-en", "none", "any"]["minus_full"] == ""
    assert float(rows["es-en", "full", "all"]["minus_none"]) == pytest.approx(20.4, abs=0.1)


def test_runs_are_counted_and_those_with_a_score_averaged(rows: dict[tuple[str, ...], Row]) -> None:
    row, whole = rows["es-en", "lora", "tiny"], rows["es-en", "lora", "large"]

    assert [row[name] for name in ("seeds", "step_zero", "diverged", "missing")] == ["1", "1", "1", "1"]
    assert [whole[name] for name in ("seeds", "step_zero", "diverged", "missing")] == ["3", "0", "0", "0"]
    assert (whole["trained_share"], whole["training_pairs"]) == ("0.2", "4000")
    assert whole["trained_parameters"] == "200000"
    costs = [
        [float(of[name]) for name in ("train_seconds", "decode_sentences_per_second", "stored_bytes")]
        for of in (whole, row)
    ]
    assert costs == [[62.0, 52.0, 100.0], [61.0, 51.0, 100.0]]


def test_a_study_without_results_is_a_table_of_gaps(tmp_path: Path) -> None:
    cells = [Cell("base", "es-en", "many", "full", "all", seed) for seed in "12"]

    write_summary([], output=tmp_path / "summary.csv", page=tmp_path / "summary.md", missing=cells)

    (row,) = csv.DictReader((tmp_path / "summary.csv").open(encoding="utf-8"))
    assert (row["method"], row["test_set"], row["missing"], row["seeds"]) == ("full", "test", "2", "0")
    assert all(
        row[name] == ""
        for name in summary_columns()
        if name.startswith(("chrf", "bleu", "minus", "train", "decode", "stored", "peak"))
    )
