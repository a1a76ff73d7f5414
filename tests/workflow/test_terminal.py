"""What a person sees of a sweep: a bar on a terminal, plain lines in a pipe, three lines after Ctrl-C."""

import shutil
import sys
from pathlib import Path

import pytest

from support.sweep import STUDY, copy, environment, located, mtpeft, run
from support.terminal import plain, run_on_terminal

pytestmark = [pytest.mark.sweep, pytest.mark.slow]

LORA = "results/cells/small/es-en/n200/lora/b5/1"
SWEEP = [sys.executable, "-m", "mtpeft", "sweep", "--configfile", STUDY.name]


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_terminal_a_bar_of_its_width_stands_below_the_lines_of_finished_cells(
    finished: Path, tmp_path: Path, columns: int
) -> None:
    folder = copy(finished, tmp_path / "run")
    (located(folder, LORA) / "score.json").unlink()
    code, said = run_on_terminal(SWEEP, folder, environment(), columns=columns)
    lines = plain(said)
    assert code == 0, lines[-20:]
    assert any(line.startswith("[10/10] small/es-en/n200/lora/b5/1  chrF ") for line in lines)
    bars = [line for line in lines if line.startswith("9/10 cells ")]
    assert bars and {len(line) for line in bars} == {columns}
    assert lines[-1].startswith("10 of 10 cells are finished, ")
    assert any(line.startswith("Next: open results/small_study/index.html in a browser; ") for line in lines)


def test_in_a_pipe_there_are_plain_lines_and_snakemake_prints_into_its_log(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    (located(folder, LORA) / "score.json").unlink()
    code, said = run(folder)
    assert code == 0, said
    assert "\x1b" not in said and "\r" not in said and "rule score" not in said
    assert "[10/10] small/es-en/n200/lora/b5/1  chrF " in said
    assert "rule score" in (folder / "logs/small_study/snakemake.log").read_text(encoding="utf-8")


def test_ctrl_c_ends_in_three_lines_that_say_what_is_kept(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    shutil.rmtree(located(folder, LORA))
    code, said = run_on_terminal(
        SWEEP, folder, environment(), columns=80, interrupted=lambda said: "train small/es-en/n200/lora/b5/1" in said
    )
    assert code != 0
    told = [line for line in plain(said) if line.startswith("mtpeft: ")]
    assert told[-3] == "mtpeft: stopping; trainings that run save their state."
    assert told[-2].startswith("mtpeft: after ") and "9 of 10 cells are finished; what is finished is kept" in told[-2]
    assert told[-1] == "mtpeft: the same command goes on where this one stopped."
    assert plain(said)[-2:] == told[-2:]
    code, said = run(folder)
    assert code == 0, said


def test_with_options_that_ask_for_it_snakemake_prints_on_the_terminal(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    (located(folder, LORA) / "score.json").unlink()
    code, said = run(folder, options=["--", "--dry-run"])
    assert code == 0, said
    assert "rule score" in said and "snakemake.log" not in said


def test_the_screen_of_a_watched_study_fits_the_terminal_and_ends_with_ctrl_c(finished: Path) -> None:
    watch = [sys.executable, "-m", "mtpeft", "status", "--watch"]
    code, said = run_on_terminal(
        watch, finished, environment(), columns=40, interrupted=lambda said: said.count("all, each once") > 1
    )
    assert code == 130
    assert {len(line) <= 40 for line in plain(said)} == {True}
    assert any(line.split()[3:6] == ["10", "10", "."] for line in plain(said) if line.startswith("all, each once"))


def test_a_report_is_of_the_study_that_was_run_last(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    done = mtpeft(folder, "report")
    assert done.returncode == 0, done.stderr
    assert (folder / "results/small_study/report.zip").stat().st_size > 1000
    assert "results/small_study/report.zip" in done.stdout
