"""What stands behind the Makefile, on folders of records written by hand."""

import csv
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtpeft.cells import Cell
from mtpeft.config.load import DEFAULT_FILE, load
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells
from mtpeft.front.preview import draw_finished
from mtpeft.front.status import failures, plan_table, state_of, status_table
from mtpeft.record_types import DecodeRecord, ScoreRecord, TrainRecord
from mtpeft.records import write_record
from mtpeft.results.collect import COST_COLUMNS, SCORE_COLUMNS, write_tables

ROOT = Path(__file__).parents[1]
OVERLAY = {
    "studies": {
        "budgets": {
            "pairs": ["es-en"],
            "sizes": ["n4000"],
            "methods": ["full", "adapter", "none"],
            "budgets": ["b1", "b20"],
            "seeds": [1, 2],
        },
        **dict.fromkeys(set(yaml.safe_load(DEFAULT_FILE.read_text())["studies"]) - {"budgets"}),
    }
}
FULL = [Cell("small", "es-en", "n4000", "full", "all", seed) for seed in "12"]
ADAPTERS = [Cell("small", "es-en", "n4000", "adapter", budget, seed) for budget in ("b1", "b20") for seed in "12"]
NONE = Cell("small", "es-en", "any", "none", "any", "any")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(OVERLAY))
    return tmp_path


@pytest.fixture
def configuration(folder: Path) -> Configuration:
    return load([folder / "mine.yaml"])


def train_record(cell: Cell, status: str = "ok") -> dict[str, Any]:
    share = {"b1": 0.01, "b20": 0.2}.get(cell.budget)
    trained = {"full": 1_000_000, "none": 0}.get(cell.method, int(1_000_000 * (share or 0)) - 7)
    return TrainRecord(
        cell=vars(cell),
        status=status,
        settings={},
        execution={"device": "cpu"},
        versions={},
        inputs={},
        total_parameters=1_000_000,
        trained_parameters=trained,
        budget_requested=share,
        budget_achieved=trained / 1_000_000,
        left_over_parameters=7 if share else 0,
        sizes={},
        training_pairs=4000,
        learning_rate=None if cell.method == "none" else 0.003,
        updates=240,
        best_step=160,
        dev_history=[],
        starts=1,
        train_seconds=61.5,
        tokens_per_second=2000.0,
        peak_memory_mb=400.5,
        stored_bytes=4096,
    ).model_dump()


def decode_record(cell: Cell, status: str = "ok") -> dict[str, Any]:
    return DecodeRecord(
        cell=vars(cell),
        status=status,
        settings={},
        execution={"device": "cpu"},
        test_sets={},
        decode_seconds=2.5,
        sentences_per_second=200.0,
    ).model_dump()


def score_record(cell: Cell, chrf: float | None, status: str = "ok") -> dict[str, Any]:
    measured = {
        "sentences": 500,
        "chrf": {"score": chrf, "signature": "chrF2|version:2.6.0"},
        "bleu": {"score": 20.125, "signature": "BLEU|version:2.6.0"},
    }
    sets = {"test": measured} if status == "ok" else {}
    return ScoreRecord(cell=vars(cell), status=status, settings={}, versions={}, test_sets=sets).model_dump()


def finish(cell: Cell, chrf: float | None = 40.0, status: str = "ok") -> None:
    write_record(cell.folder / "train.json", train_record(cell, status))
    write_record(cell.folder / "decode.json", decode_record(cell, status))
    write_record(cell.folder / "score.json", score_record(cell, chrf, status))


def fail(cell: Cell, reason: str = "out of memory") -> None:
    write_record(cell.folder / "failed.json", {"step": "train", "reason": reason})


def begin(cell: Cell) -> Path:
    lock = cell.folder / "state" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    return lock


@contextmanager
def held(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def mtpeft(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-m", "mtpeft", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_cell_is_in_the_state_that_its_files_show(folder: Path) -> None:
    cell = ADAPTERS[0]
    seen = [state_of(cell)]
    lock = begin(cell)
    seen.append(state_of(cell))
    with held(lock):
        seen.append(state_of(cell))
    fail(cell)
    seen.append(state_of(cell))
    with held(lock):
        seen.append(state_of(cell))
    (cell.folder / "failed.json").unlink()
    lock.unlink()
    write_record(cell.folder / "train.json", train_record(cell))
    seen.append(state_of(cell))
    finish(cell)
    seen.append(state_of(cell))
    finish(cell, status="diverged")
    seen.append(state_of(cell))

    assert seen == ["missing", "stopped", "running", "failed", "running", "stopped", "done", "diverged"]


def test_a_cell_that_is_trained_anew_is_not_done(folder: Path) -> None:
    cell = ADAPTERS[0]
    finish(cell)
    (cell.folder / "train.json").unlink()
    lock = begin(cell)

    assert state_of(cell) == "stopped"
    with held(lock):
        assert state_of(cell) == "running"
    fail(cell)
    assert state_of(cell) == "failed"


def scene() -> None:
    """Two cells done, one diverged, one failed, one stopped, two missing."""
    finish(FULL[0], 41.5)
    finish(NONE, 12.25)
    finish(ADAPTERS[0], status="diverged")
    fail(ADAPTERS[1])
    begin(ADAPTERS[2])


def test_the_status_counts_states_and_says_why_cells_failed(configuration: Configuration) -> None:
    scene()

    lines = status_table(configuration).splitlines()

    assert lines[0].split() == ["study", "method", "done", "diverged", "running", "failed", "stopped", "missing"]
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in lines[1:4]}
    assert rows["budgets", "full"] == ["1", ".", ".", ".", ".", "1"]
    assert rows["budgets", "adapter"] == [".", "1", ".", "1", "1", "1"]
    assert rows["budgets", "none"] == ["1", ".", ".", ".", ".", "."]
    assert lines[4].split()[-6:] == ["2", "1", ".", "1", "1", "2"]
    assert lines[5:] == ["failed: small/es-en/n4000/adapter/b1/2, train: out of memory"]
    assert failures(all_cells(configuration)) == lines[5:]


def test_the_plan_counts_what_is_left(configuration: Configuration) -> None:
    scene()
    write_record(FULL[1].folder / "train.json", train_record(FULL[1]))

    rows = [line.split() for line in plan_table(configuration).splitlines()]

    assert rows[1] == ["budgets", "7", "7", "3", "3", "4", "4"]
    assert rows[-1][-6:] == ["7", "7", "3", "3", "4", "4"]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_preview_marks_what_is_missing_and_makes_nothing_up(configuration: Configuration, folder: Path) -> None:
    scene()

    lines = list(draw_finished(configuration, ["budgets"], folder=folder / "drawn"))

    assert [line.split(": ")[1] for line in lines] == ["2 of 7 cells", "2 of 7 cells"]
    for study in ("budgets", "efficiency"):
        for suffix in ("pdf", "svg", "png"):
            assert (folder / "drawn" / f"{study}.{suffix}").stat().st_size > 1000
        drawn = (folder / "drawn" / f"{study}.svg").read_text(encoding="utf-8")
        assert "2 of 7 cells (4 missing, 1 diverged)" in drawn
    tables = sorted(folder.rglob("scores.csv"))
    assert len(tables) == 2
    for table in tables:
        rows = rows_of(table)
        assert sorted(row["status"] for row in rows) == ["diverged", *["missing"] * 4, "ok", "ok"]
        assert {row["chrf"] for row in rows if row["status"] == "ok"} == {"41.5", "12.25"}
        assert {row["chrf"] + row["bleu"] for row in rows if row["status"] != "ok"} == {""}


def test_tables_are_in_the_order_of_the_labels_and_the_same_each_time(folder: Path) -> None:
    scene()
    cells = [NONE, *reversed(ADAPTERS), *FULL]
    tables = [{"scores": folder / f"scores{run}.csv", "costs": folder / f"costs{run}.csv"} for run in (1, 2)]

    write_tables(cells, **tables[0])
    write_tables(cells[::-1], **tables[1])

    assert tables[0]["scores"].read_bytes() == tables[1]["scores"].read_bytes()
    assert tables[0]["costs"].read_bytes() == tables[1]["costs"].read_bytes()
    scores, costs = rows_of(tables[0]["scores"]), rows_of(tables[0]["costs"])
    assert (tuple(scores[0]), tuple(costs[0])) == (SCORE_COLUMNS, COST_COLUMNS)
    for rows in (scores, costs):
        found = [Cell(*(row[name] for name in vars(NONE))) for row in rows]
        assert found == sorted(cells)


def test_a_diverged_cell_has_its_parameters_and_no_score(folder: Path) -> None:
    finish(ADAPTERS[0], status="diverged")

    write_tables([ADAPTERS[0]], scores=folder / "scores.csv", costs=folder / "costs.csv")

    (score,), (cost,) = rows_of(folder / "scores.csv"), rows_of(folder / "costs.csv")
    assert (score["status"], score["chrf"], score["bleu"], score["test_sentences"]) == ("diverged", "", "", "")
    assert (score["trained_parameters"], score["left_over_parameters"]) == ("9993", "7")
    assert (cost["status"], cost["train_seconds"], cost["device"]) == ("diverged", "61.5", "cpu")


def test_a_second_sweep_in_a_folder_is_refused(folder: Path) -> None:
    lock = folder / "results" / ".sweep"
    lock.parent.mkdir()
    lock.write_text('{"pid": 4711, "host": "here"}')

    with held(lock):
        ended = mtpeft("sweep", "--configfile", "mine.yaml", folder=folder)

    assert ended.returncode == 2
    assert ended.stderr.startswith('mtpeft: Another sweep works in this folder ({"pid": 4711, "host": "here"}); wait')
    assert len(ended.stderr.splitlines()) == 1
    assert lock.read_text() == '{"pid": 4711, "host": "here"}'
    assert not (folder / ".snakemake").exists()


@pytest.mark.parametrize("command", ["sweep", "plan", "status", "preview", "budget"])
def test_a_wrong_configuration_stops_every_command(command: str, folder: Path) -> None:
    (folder / "wrong.yaml").write_text("margin: 0\n")

    ended = mtpeft(command, "--configfile", "mine.yaml", "wrong.yaml", folder=folder)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "mtpeft: 'margin' is 0; write a number above 0.\n"
    assert not (folder / "results").exists()


def test_status_works_beside_a_sweep_and_leaves_no_trace(folder: Path) -> None:
    scene()
    before = sorted(folder.rglob("*"))

    with held(folder / "results" / ".sweep"):
        ended = mtpeft("status", "--configfile", "mine.yaml", folder=folder)

    assert ended.returncode == 0
    assert "failed: small/es-en/n4000/adapter/b1/2, train: out of memory" in ended.stdout
    assert sorted(set(folder.rglob("*")) - set(before)) == [folder / "results" / ".sweep"]
