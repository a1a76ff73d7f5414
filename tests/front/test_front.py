"""The commands behind the Makefile, on folders of records written by hand."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtpeft.analysis.score_tables import COST_COLUMNS, score_columns, write_tables
from mtpeft.cells import RATE_LABELS, Cell
from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record, sha256_of, write_record
from mtpeft.front.plan import cells_table, jobs_table
from mtpeft.front.preview import draw_finished, make_unfinished, remove_unfinished
from mtpeft.front.status import failures, is_finished, state_of, status_table
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.steps.search_rate import rates_file
from support.front import begin, configured, fail, finish, held, own_cell, train_record
from support.steps import params_of

ROOT = Path(__file__).parents[2]
FULL = [own_cell("small", "pt-en", "n4800", "full", "all", seed) for seed in "12"]
ADAPTERS = [own_cell("small", "pt-en", "n4800", "adapter", budget, seed) for budget in ("b1", "b20") for seed in "12"]
NONE = own_cell("small", "pt-en", "any", "none", "any", "any")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    configured(tmp_path)
    return tmp_path


@pytest.fixture
def configuration(folder: Path) -> Configuration:
    return load([folder / "mine.yaml"])


def mtpeft(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-m", "mtpeft", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_cell_is_in_the_state_that_its_files_show(configuration: Configuration) -> None:
    cell = ADAPTERS[0]
    seen = [state_of(configuration, cell)]
    lock = begin(cell)
    seen.append(state_of(configuration, cell))
    with held(lock):
        seen.append(state_of(configuration, cell))
    fail(cell)
    seen.append(state_of(configuration, cell))
    with held(lock):
        seen.append(state_of(configuration, cell))
    (cell.folder / "failed.json").unlink()
    lock.unlink()
    write_record(cell.folder / "train.json", train_record(cell))
    seen.append(state_of(configuration, cell))
    finish(cell)
    seen.append(state_of(configuration, cell))
    finish(cell, status="diverged")
    seen.append(state_of(configuration, cell))

    assert seen == ["missing", "stopped", "running", "failed", "running", "stopped", "done", "diverged"]


def test_a_cell_that_is_trained_anew_is_not_done(configuration: Configuration) -> None:
    cell = ADAPTERS[0]
    finish(cell)
    (cell.folder / "train.json").unlink()
    lock = begin(cell)

    assert state_of(configuration, cell) == "stopped"
    with held(lock):
        assert state_of(configuration, cell) == "running"
    fail(cell)
    assert state_of(configuration, cell) == "failed"


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
    assert lines[5:] == ["failed: train of small/pt-en/n4800/adapter/b1/2: out of memory"]
    assert list(failures(placed_cells(configuration)).values()) == lines[5:]


def test_the_plan_counts_cells_and_jobs(configuration: Configuration) -> None:
    scene()

    rows = [line.split() for line in cells_table(configuration).splitlines()]
    jobs = {line.split()[0]: line.split()[1:] for line in jobs_table(configuration, [Path("mine.yaml")]).splitlines()}

    assert rows[1] == ["budgets", "7", "7", "3"]
    assert jobs["jobs"] == ["budgets", "all"]
    assert jobs["take_in_model"] == ["1", "1"]
    assert jobs["search_rate"] == ["3", "3"]
    assert jobs["collect_all_scores"] == [".", "1"]
    assert int(jobs["total"][1]) > int(jobs["total"][0]) > 7


@pytest.mark.parametrize(
    "change",
    [{"methods": {"full": {"learning_rate": 0.5}}}, {"sizes": {"n4800": {"pairs": 2000}}}],
    ids=["rate", "pairs"],
)
def test_results_of_other_params_count_as_missing(
    change: dict[str, Any], configuration: Configuration, folder: Path
) -> None:
    finish(FULL[0])
    assert is_finished(configuration, FULL[0])
    (folder / "other.yaml").write_text(yaml.safe_dump(change))
    other = load([folder / "mine.yaml", folder / "other.yaml"])
    assert state_of(other, FULL[0]) == "missing"


def test_a_rate_that_was_found_is_the_one_that_a_result_must_have(configuration: Configuration) -> None:
    cell = ADAPTERS[0]
    finish(cell)
    file, search = (
        Path(rates_file(configuration, cell)),
        params_of("search_rate", configuration, *(getattr(cell, name) for name in RATE_LABELS)),
    )
    found = {"learning_rate": 0.005, "params": search, "inputs": {}}
    write_record(file, found)
    record = read_record(cell.folder / "train.json")
    write_record(cell.folder / "train.json", record | {"inputs": {"rate_sha256": sha256_of(file)}})
    file.unlink()
    seen = [state_of(configuration, cell)]
    for change in ({"learning_rate": 0.01}, {"params": search | {"candidates": [0.1, 0.2, 0.3]}}, {}):
        write_record(file, found | change)
        seen.append(state_of(configuration, cell))

    assert seen == ["missing", "missing", "missing", "stopped"]


def test_scores_of_an_older_training_do_not_count(configuration: Configuration) -> None:
    finish(FULL[0])
    record = read_record(FULL[0].folder / "train.json")
    write_record(FULL[0].folder / "train.json", record | {"train_seconds": 1.0})
    assert state_of(configuration, FULL[0]) == "stopped"


def test_unfinished_figures_are_removed_before_snakemake_looks_at_them(configuration: Configuration) -> None:
    scene()
    make_unfinished(configuration)
    results = Path("results/mine")
    figures = results / "figures"
    assert {file.stem for file in figures.glob("*.pdf")} == {"budgets", "efficiency"}
    (figures / "other.pdf").write_text("of another configuration")
    assert sorted(file.name for file in results.glob("findings.*")) == ["findings.json", "findings.md"]
    assert "needs cells" in (results / "findings.md").read_text(encoding="utf-8")
    assert len(list(results.rglob("scores.csv"))) == 2
    assert len(list(results.rglob("summary.html"))) == 2, "the report asks for them"
    remove_unfinished(configuration)
    assert not list(results.glob("findings.*"))
    assert not [*results.rglob("*.csv"), *results.rglob("summary.html")]
    assert [file.name for file in figures.iterdir()] == ["other.pdf"]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_preview_marks_what_is_missing_and_makes_nothing_up(configuration: Configuration, folder: Path) -> None:
    scene()

    tables = {study: folder / "drawn/tables" / study for study in ("budgets", "efficiency")}
    lines = list(draw_finished(configuration, tables, folder=folder / "drawn"))

    assert [line.split(": ")[1] for line in lines] == ["2 of 7 cells", "2 of 7 cells"]
    for study in ("budgets", "efficiency"):
        for suffix in ("pdf", "svg", "png"):
            assert (folder / "drawn" / f"{study}.{suffix}").stat().st_size > 1000
        drawn = (folder / "drawn" / f"{study}.svg").read_text(encoding="utf-8")
        assert "2 of 7 cells (4 missing, 1 diverged)" in drawn
    summary = rows_of(folder / "drawn/tables/budgets/summary.csv")
    assert {row["chrf"] == "" for row in summary if row["seeds"] == "0"} == {True}
    assert sum(int(row["seeds"]) + int(row["diverged"]) + int(row["missing"]) for row in summary) == 7
    tables = sorted(folder.rglob("scores.csv"))
    assert len(tables) == 2
    for table in tables:
        rows = rows_of(table)
        assert sorted(row["status"] for row in rows) == ["diverged", *["missing"] * 4, "ok", "ok"]
        assert {row["chrf"] for row in rows if row["status"] == "ok"} == {"41.5", "12.25"}
        assert {row["chrf"] + row["bleu"] for row in rows if row["status"] != "ok"} == {""}


def test_a_preview_over_two_test_sets_draws_nothing_and_says_so(configuration: Configuration, folder: Path) -> None:
    scene()
    record = read_record(NONE.folder / "score.json")
    record["test_sets"]["test"]["chrf"]["statistics"].pop()
    write_record(NONE.folder / "score.json", record)

    (line,) = draw_finished(configuration, {"budgets": folder / "tables"}, folder=folder / "drawn")

    assert "budgets.pdf: not drawn" in line and "run the sweep again" in line
    assert not (folder / "drawn").exists()


def test_tables_are_in_the_order_of_the_labels_and_the_same_each_time(folder: Path) -> None:
    scene()
    cells = [NONE, *reversed(ADAPTERS), *FULL]
    missing = {FULL[1], *ADAPTERS[1:]}
    tables = [{"scores": folder / f"scores{run}.csv", "costs": folder / f"costs{run}.csv"} for run in (1, 2)]

    write_tables(cells, **tables[0], missing=missing)
    write_tables(cells[::-1], **tables[1], missing=missing)

    assert tables[0]["scores"].read_bytes() == tables[1]["scores"].read_bytes()
    assert tables[0]["costs"].read_bytes() == tables[1]["costs"].read_bytes()
    scores, costs = rows_of(tables[0]["scores"]), rows_of(tables[0]["costs"])
    assert (tuple(scores[0]), tuple(costs[0])) == (score_columns(), COST_COLUMNS)
    for rows in (scores, costs):
        found = [Cell(*(row[name] for name in NONE.named)) for row in rows]
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
    record = {"pid": 4711, "host": "login1", "started": time.time(), "submitted": time.time()}
    lock.write_text(json.dumps(record))

    with held(lock):
        ended = mtpeft("sweep", "--configfile", "mine.yaml", folder=folder)

    assert ended.returncode == 2
    assert ended.stderr.startswith("mtpeft: Another sweep works in this folder (process 4711 on login1, started ")
    assert "it lives" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert json.loads(lock.read_text()) == record
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
    assert "failed: train of small/pt-en/n4800/adapter/b1/2: out of memory" in ended.stdout
    assert sorted(set(folder.rglob("*")) - set(before)) == [folder / "results" / ".sweep"]
