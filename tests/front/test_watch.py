"""What is seen of a running sweep follows from its files: events, records, progress of trainings, prices."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.failure_notes import leave_note
from mtpeft.core.files import write_record
from mtpeft.core.progress_file import TrainingProgress, write_progress
from mtpeft.front.ending import decided_lines, failed_lines, next_command, stopped_lines, tally_line
from mtpeft.front.study_folders import given_or_last, last_study
from mtpeft.front.study_records import begin_study
from mtpeft.front.terminal import PlainDisplay, Reporter
from mtpeft.front.watch.cells import read_cells, state_of_cell
from mtpeft.front.watch.expected import EXPECTED_FILE, Expected, read_expected, write_expected
from mtpeft.front.watch.jobs import Jobs
from mtpeft.front.watch.left import START_SECONDS, TimeLeft, duration, time_left
from mtpeft.front.watch.lines import last_lines, running_line
from mtpeft.front.watch.look import EVENTS_FILE, Watch, logs_of
from mtpeft.front.watch.pricing import priced
from mtpeft.front.watch.screen import watch_study
from mtpeft.steps.cells_of_studies import placed_cells
from support.front import configured, fail, finish

RESULTS = Path("results/mine")
NOW = 1_000_000.0


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.chdir(tmp_path)
    configuration = configured(tmp_path)
    begin_study(configuration, [tmp_path / "mine.yaml"])
    return configuration


def write_events(*events: dict[str, Any]) -> Path:
    file = logs_of(RESULTS) / EVENTS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(event)}\n" for event in events)
    return file


def begun(number: int, cell: Any, rule: str, at: float = NOW) -> dict[str, Any]:
    made = {"train": ["tuned", "train.json"], "decode": ["hypotheses", "decode.json"], "score": ["score.json"]}[rule]
    wildcards = cell.named | {"seed": f"{cell.seed}-{cell.digest}"}
    output = [f"{cell.folder}/{name}" for name in made]
    files = {"output": output, "log": [f"logs/{rule}/{cell.path}.log"]}
    return {"event": "begun", "time": at, "id": number, "rule": rule, "wildcards": wildcards, **files}


def ended(number: int, at: float = NOW, kind: str = "finished") -> dict[str, Any]:
    return {"event": kind, "time": at, "id": number}


def test_jobs_are_read_on_from_where_the_last_reading_stopped(configuration: Configuration) -> None:
    first, second = placed_cells(configuration)[:2]
    counts = {"train": 2, "all": 1, "study_budgets": 1, "total": 4}
    file = write_events({"event": "jobs", "counts": counts}, begun(1, first, "train"), ended(1))
    jobs = Jobs(file)
    assert [job.name for job in jobs.read()] == [f"train {first.path}"]
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(begun(2, second, "train")))
    assert jobs.read() == jobs.running() == []
    write_events({})  # ends the line
    file.write_text(file.read_text(encoding="utf-8").replace("{}\n", "\n"), encoding="utf-8")
    assert jobs.read() == []
    assert [job.name for job in jobs.running()] == [f"train {second.path}"]
    assert jobs.total == 2


def test_the_jobs_of_another_sweep_take_the_place_of_those_before(configuration: Configuration) -> None:
    first, second = placed_cells(configuration)[:2]
    file = write_events({"event": "jobs", "counts": {"train": 7}}, begun(1, first, "train"))
    jobs = Jobs(file)
    jobs.read()
    file.unlink()
    write_events({"event": "jobs", "counts": {"train": 2}}, begun(1, second, "train"), begun(2, first, "train"))
    jobs.read()
    assert [job.name for job in jobs.running()] == [f"train {second.path}", f"train {first.path}"]
    assert jobs.total == 2


def test_a_line_that_a_full_disk_has_cut_is_passed_over(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    file = write_events({"event": "jobs", "counts": {"train": 1}})
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"event": "beg\n')
    write_events(begun(1, cell, "train"))
    jobs = Jobs(file)
    jobs.read()
    assert [job.name for job in jobs.running()] == [f"train {cell.path}"]


def test_a_job_that_is_tried_again_runs_and_has_not_failed(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    jobs = Jobs(write_events(begun(1, cell, "train"), ended(1, kind="failed")))
    jobs.read()
    assert ([job.name for job in jobs.failed()], jobs.running()) == ([f"train {cell.path}"], [])
    write_events(begun(1, cell, "train"))
    jobs.read()
    assert (jobs.failed(), [job.name for job in jobs.running()]) == ([], [f"train {cell.path}"])
    write_events(ended(1))
    assert len(jobs.read()) == 1
    assert jobs.running() == jobs.failed() == []


@pytest.mark.parametrize(
    ("took", "elapsed", "wanted"),
    [
        pytest.param([], 0, (3 * 102) / 2, id="before anything has ended two jobs run as priced"),
        pytest.param([], 51, 2 * 102, id="what runs is taken to go as priced"),
        pytest.param([102], 102, None, id="one at a time takes longer than two were thought to"),
    ],
)
def test_time_left_follows_from_prices_and_from_the_speed_so_far(
    configuration: Configuration, took: list[float], elapsed: float, wanted: float | None
) -> None:
    cells = placed_cells(configuration)[:3]
    expected = Expected({f"{cell.folder}/train.json": 100.0 for cell in cells}, spread=0.5, at_once=2)
    events = [{"event": "jobs", "counts": {"train": 3}}]
    events += [begun(1, cells[0], "train")] if took or elapsed else []
    events += [ended(1, NOW + took[0])] if took else []
    jobs = Jobs(write_events(*events))
    jobs.read()
    left = time_left(expected, jobs, {}, now=NOW + elapsed)
    assert left is not None and left.low < left.seconds < left.high
    if took:
        assert 2 * 102 / 2 < left.seconds < 2 * 102
    elif elapsed:
        assert left.seconds < (3 * 102 - 51) / (51 / 51) and left.seconds > (3 * 102 - 51) / 2
    else:
        assert left.seconds == wanted


def test_half_of_a_training_is_half_of_its_price(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    expected = Expected({f"{cell.folder}/train.json": 1000.0 - START_SECONDS}, at_once=1)
    jobs = Jobs(write_events({"event": "jobs", "counts": {"train": 1}}, begun(1, cell, "train")))
    jobs.read()
    half = TrainingProgress(50, 100, 3.0, 10.0, None, None, 500.0, NOW + 500)
    left = time_left(expected, jobs, {f"train {cell.path}": half}, now=NOW + 500)
    assert left is not None and left.seconds == pytest.approx(500)


def test_nothing_is_said_of_the_time_before_there_are_prices(configuration: Configuration) -> None:
    jobs = Jobs(write_events({"event": "jobs", "counts": {"train": 3}}))
    jobs.read()
    assert time_left(Expected(), jobs, {}, now=NOW) is None
    assert str(TimeLeft(600, 300, 7200)) == "10 min left (5 min to 2.0 h)"
    assert duration(12.4) == "12 s"


def test_prices_count_trainings_and_decodings_and_stay_when_they_are_done(configuration: Configuration) -> None:
    cells = placed_cells(configuration)
    first = priced(configuration, at_once=2, before={})
    write_expected(first, RESULTS)
    assert read_expected(RESULTS) == first
    write_record(RESULTS / EXPECTED_FILE, {"hours": {}})
    assert read_expected(RESULTS) == Expected(), "of another version"
    for name in ("train", "decode"):
        assert {f"{cell.folder}/{name}.json" for cell in cells} <= set(first.seconds)
    finish(cells[0])
    again = priced(configuration, at_once=2, before=first.seconds)
    assert set(again.seconds) == set(first.seconds)
    fresh = priced(configuration, at_once=2, before={})
    assert set(first.seconds) - set(fresh.seconds) == {f"{cells[0].folder}/{name}.json" for name in ("train", "decode")}


def test_a_cell_has_one_state_by_its_files_and_diverged_is_one(configuration: Configuration) -> None:
    cells = placed_cells(configuration)
    finish(cells[0])
    finish(cells[1], None, "diverged")
    fail(cells[2])
    study = read_cells(RESULTS)
    assert study is not None and study.studies == {"budgets": [cell.path for cell in cells]}
    states = [state_of_cell(study.folders[cell.path]) for cell in cells[:4]]
    assert states == ["done", "diverged", "failed", "waiting"]
    for cell in cells[:2]:
        os.utime(cell.folder, (NOW, NOW))
    assert [state_of_cell(study.folders[cell.path]) for cell in cells[:2]] == ["done", "diverged"]
    (cells[0].folder / "score.json").unlink()
    assert [state_of_cell(study.folders[cell.path]) for cell in cells[:2]] == ["waiting", "diverged"]


def test_the_screen_names_what_runs_with_its_loss_speed_and_score(
    configuration: Configuration, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = placed_cells(configuration)
    finish(cells[0])
    now = time.time()
    write_events(
        {"event": "jobs", "counts": {"train": 7}}, begun(1, cells[1], "train", now), begun(2, cells[2], "decode", now)
    )
    state = cells[1].folder / "state"
    state.mkdir(parents=True)
    write_progress(state, TrainingProgress(12, 300, 3.25, 2310.4, 41.26, 42.0, 60.0, now + 1))
    watch = Watch(RESULTS)
    seen, _ = watch.look()
    lines = [running_line(job, progress, now=now + 20) for job, progress in seen.running]
    assert lines == [
        f"train 12/300 {cells[1].path}  loss 3.250  2,310 tokens/s  dev 41.3",
        f"decode {cells[2].path}  20 s",
    ]
    watch_study(RESULTS)
    said = capsys.readouterr().out
    assert "no sweep runs" in said and "\x1b" not in said
    assert ["all,", "each", "once", str(len(cells)), "1"] == next(
        line.split()[:5] for line in said.splitlines() if line.startswith("all")
    )


def test_a_progress_of_an_earlier_job_is_not_shown(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    (cell.folder / "state").mkdir(parents=True)
    write_progress(cell.folder / "state", TrainingProgress(12, 300, 3.25, 2310.4, 41.26, 42.0, 60.0, NOW - 5))
    write_events(begun(1, cell, "train", NOW))
    seen, _ = Watch(RESULTS).look()
    assert [progress for _, progress in seen.running] == [None]


def test_a_study_that_was_never_run_is_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="make figures"):
        watch_study(RESULTS)


def test_each_finished_cell_is_told_once_with_its_score(
    configuration: Configuration, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = placed_cells(configuration)
    finish(cells[0], 43.21)
    finish(cells[1], None, "diverged")
    reporter = Reporter(Watch(RESULTS), PlainDisplay(every_job=False), every_job=False)
    write_events({"event": "jobs", "counts": {"score": 7}}, begun(1, cells[0], "score"), ended(1))
    write_events(begun(2, cells[1], "score"), ended(2))
    reporter.report_all()
    reporter.report_all()
    total = len(cells)
    assert capsys.readouterr().out.splitlines() == [
        f"[1/{total}] {cells[0].path}  chrF 43.2  trained in 62 s",
        f"[2/{total}] {cells[1].path}  diverged after 240 updates",
    ]


def test_a_failed_job_is_told_once_with_its_reason_and_the_end_of_its_log(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    leave_note("train", cell.folder / "train.json", OSError("out of memory"))
    log = Path(f"logs/train/{cell.path}.log")
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(20)) + "\x1b[31m 5%\r 9%\rred\x1b[0m\n\n")
    write_events(begun(1, cell, "train"), ended(1, kind="failed"), begun(1, cell, "train"), ended(1, kind="failed"))
    jobs = Jobs(logs_of(RESULTS) / EVENTS_FILE)
    jobs.read()
    lines = list(failed_lines(configuration, jobs, None))
    assert lines[0] == f"failed: train {cell.path}: out of memory"
    assert lines[1] == f"  the last lines of {log}:"
    assert lines[2:8] == [*(f"    line {number}" for number in range(15, 20)), "    red"]
    assert sum("out of memory" in line for line in lines) == 1
    assert "goes on" in lines[-1]
    assert last_lines(log)[-1] == "red"


@pytest.mark.parametrize("rule", ["decode_other", "score_with_metric_other", "score_with_experts"])
def test_the_note_of_a_step_is_found_for_every_rule_that_calls_it(configuration: Configuration, rule: str) -> None:
    cell = placed_cells(configuration)[0]
    step = rule.removesuffix("_other").removesuffix("_with_experts")
    leave_note(step, cell.folder / "score.json", OSError("out of memory"))
    write_events(begun(1, cell, "score") | {"rule": rule}, ended(1, kind="failed"))
    jobs = Jobs(logs_of(RESULTS) / EVENTS_FILE)
    jobs.read()
    assert next(failed_lines(configuration, jobs, None)).endswith(": out of memory")


def test_where_no_job_has_failed_the_end_of_what_snakemake_printed_is_shown(configuration: Configuration) -> None:
    Path("snakemake.log").write_text("Building DAG of jobs...\nOSError: No space left on device\n")
    lines = list(failed_lines(configuration, Jobs(Path("none")), Path("snakemake.log")))
    assert lines[:-1] == [
        "Snakemake has failed; the last lines of snakemake.log:",
        "    Building DAG of jobs...",
        "    OSError: No space left on device",
    ]


def test_a_step_that_left_no_note_is_told_by_the_last_sentence_of_its_log(configuration: Configuration) -> None:
    cell = placed_cells(configuration)[0]
    log = Path(f"logs/train/{cell.path}.log")
    log.parent.mkdir(parents=True)
    jobs = Jobs(write_events(begun(1, cell, "train"), ended(1, kind="failed")))
    jobs.read()
    for text, reason in (("loading\n", "it may have been killed"), ("mtpeft: stopped: time budget\n", "stopped: time")):
        log.write_text(text)
        assert reason in next(failed_lines(configuration, jobs, None))


def test_a_stopped_sweep_says_in_two_lines_what_is_kept(configuration: Configuration) -> None:
    cells = placed_cells(configuration)
    finish(cells[0])
    finish(cells[1], None, "diverged")
    (cells[2].folder / "state").mkdir(parents=True)
    (cells[2].folder / "state" / "state.safetensors").touch()
    kept, how = stopped_lines(configuration, Jobs(Path("none")), "3.0 minutes.", whole=True)
    done = f"2 of {len(cells)} cells are finished, 1 of them diverged ({cells[1].path})"
    assert kept == (
        f"mtpeft: after 3.0 minutes {done}; what is finished is kept, and 1 half-trained cells go on from their saved "
        "state."
    )
    assert "the same command goes on" in how
    assert tally_line(configuration).count(cells[1].path) == 1


def test_what_is_decided_is_said_in_sentences_and_nothing_else_is(tmp_path: Path) -> None:
    row = {"model": "student", "pair": "es-en", "size": "n400", "reference": "none"}
    gate = [row | {"effect": 18.04, "interval": [16.9, 19.5]}, row | {"effect": 0.1, "interval": [-1.0, 1.2]}]
    gate += [row | {"reference": "scratch", "effect": None, "interval": None}]
    findings = {
        "a": {"statement": "`lora` is on par.", "verdict": "supported"},
        "b": {"statement": "It falls.", "verdict": "undecided"},
    }
    write_record(tmp_path / "findings.json", {"gate": gate, "findings": findings})
    assert list(decided_lines(tmp_path / "findings.json")) == [
        "`lora` is on par. Supported.",
        "Full fine-tuning of student on es-en with n400 is 18.0 chrF better than the untouched model "
        "(95 % interval 16.9 to 19.5).",
    ]
    assert list(decided_lines(tmp_path / "none.json")) == []


@pytest.mark.parametrize(
    ("name", "files", "command"),
    [
        ("mine", ["mine.yaml"], "`make report` puts"),
        ("quick", ["workflow/studies/quick.yaml"], "`make plan` says what the whole study takes, and `make figures`"),
        ("quick+mine", ["workflow/studies/quick.yaml", "mine.yaml"], "`make figures CONFIG=mine.yaml` runs it"),
    ],
)
def test_the_next_command_follows_from_what_was_run(
    configuration: Configuration, name: str, files: list[str], command: str
) -> None:
    assert command in next_command(configuration.named(name), list(map(Path, files)))


def test_the_study_that_was_run_last_is_found_though_nothing_in_it_changed(
    configuration: Configuration, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text((tmp_path / "mine.yaml").read_text())
    begin_study(load([other]), [other])
    os.utime(RESULTS / "study.json", (1, 1))
    assert last_study().folder == Path("results/other")
    begin_study(configuration, [tmp_path / "mine.yaml"])
    os.utime("results/other/study.json", (1, 1))
    assert (last_study().folder, given_or_last([])) == (RESULTS, [Path("mine.yaml")])
    assert given_or_last([other]) == [other]
    (tmp_path / "mine.yaml").unlink()
    with pytest.raises(UserError, match=r"mine\.yaml, which is gone"):
        last_study()


def test_no_study_is_the_last_where_none_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="No study was run in this folder"):
        last_study()
