"""Calls of the workflow: what is misspelt or can't work is reported at once, before anything runs."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtpeft.cli import main
from mtpeft.config.yaml_file import read_profile
from mtpeft.core.errors import FOLDERS, TryAgainError, UserError, require_room, user_error_of
from mtpeft.front.snakemake import profile_file, require_cores, submits_jobs
from support.sweep import ROOT, environment


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask make what it would do, without the tests' own make around it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for name in ("CALIBRATE", "CONFIG", "CORES", "MAX_HOURS", "PROFILE", "PYTHON"):
        plain.pop(name, None)
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("plan", "config=mine.yaml"),
            "'config' is no variable of this Makefile; write CALIBRATE, CONFIG, CORES, MAX_HOURS, PROFILE",
        ),
        (("plan", "Config=mine.yaml"), "'Config' is no variable of this Makefile"),
        (("plan", "CONFIGFILE=mine.yaml"), "'CONFIGFILE' is no variable of this Makefile"),
        (("figures", "CONFIG=a.yaml", "cores=4"), "'cores' is no variable of this Makefile"),
        (("figures", "profile=slurm"), "'profile' is no variable of this Makefile"),
        (("figures", "JOBS=4"), "'JOBS' is no variable of this Makefile"),
        (("figures", "DEVICE=cuda"), "'DEVICE' is a variable of `make bench` alone; take it out"),
        (("bench", "REPEATS=9"), "'REPEATS' is no variable of this Makefile"),
        (
            ("plan", "mine.yaml"),
            "'mine.yaml' is nothing that can be made; write CONFIG=mine.yaml to lay it over config",
        ),
        (("figures", "CORES=0"), "CORES is '0'; write how many jobs may run at once, such as CORES=2"),
        (("figures", "CORES=-1"), "CORES is '-1'; write how many jobs"),
        (("figures", "CORES=two"), "CORES is 'two'; write how many jobs"),
        (("figures", "CORES=1.5"), "CORES is '1.5'; write how many jobs"),
        (("figures", "CORES="), "CORES is ''; write how many jobs"),
        (("figures", "CORES=2'"), "CORES is '2''; write how many jobs"),
        (("plan", "CALIBRATE=yes"), "CALIBRATE is 'yes'; write CALIBRATE=1, or nothing"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_misspelt_call_of_make_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = make(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("name", ["mine.yaml", "my study.yaml", "it's mine.yaml", "a=b $HOME.yaml"])
def test_make_takes_a_configuration_whatever_its_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.touch()
    doubled = str(file).replace("$", "$$")  # as a user of make writes it

    line = make("plan", f"CONFIG={doubled}", "MTPEFT_SECONDS=9").stdout.splitlines()[-1]

    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True).stdout
    assert words.splitlines()[-2:] == ["--configfile", str(file)]


def test_make_takes_several_configurations() -> None:
    line = make("status", "CONFIG=a.yaml b.yaml").stdout.splitlines()[-1]
    assert line.endswith(" status --configfile a.yaml b.yaml")


def test_make_gives_the_plan_its_limit_of_hours_and_its_calibrations() -> None:
    line = make("plan", "CONFIG=a.yaml", "MAX_HOURS=1.5", "CALIBRATE=1", "CORES=4").stdout.splitlines()[-1]
    assert line.endswith(" plan --cores 4 --max-hours '1.5' --calibrate --configfile a.yaml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-hours", "0"), "argument --max-hours: '0' is no number above 0; write one such as 8"),
        (("--max-hours", "long"), "argument --max-hours: 'long' is no number above 0; write one such as 8"),
        (("--max-hours", "inf"), "argument --max-hours: 'inf' is no number above 0"),
        (("--cores", "0"), "argument --cores: '0' is no whole number above 0; write one such as 2"),
        (("--cores", "1.5"), "argument --cores: '1.5' is no whole number above 0; write one such as 2"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_plan_with_impossible_numbers_is_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plan", *options])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--cores", "0"], "--cores is '0'"),
        (["--cores=0"], "--cores is '0'"),
        (["-c0"], "-c is '0'"),
        (["-j", "-1"], "-j is '-1'"),
        (["--keep-going", "-c", "two"], "-c is 'two'"),
        (["--jobs", "1.5"], "--jobs is '1.5'"),
        (["--cores", "2"], None),
        (["-c4", "--cores", "--jobs", "unlimited", "--cores=all", "--configfile", "0"], None),
    ],
)
def test_a_number_of_jobs_with_which_nothing_would_ever_run_is_refused(options: list[str], named: str | None) -> None:
    if named is None:
        require_cores(options)
        return
    with pytest.raises(UserError, match=f"^{named}; write how many jobs may run at once, such as 2.$"):
        require_cores(options)


def test_a_profile_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("executor: [slurm\n")

    with pytest.raises(UserError, match=r"profile\.yaml, line 2 is not valid YAML"):
        submits_jobs(str(tmp_path))
    with pytest.raises(UserError, match="--profile is 'slrum', which is neither a folder"):
        submits_jobs("slrum")


def mtpeft(*arguments: str | bytes, folder: Path, to: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtpeft", *arguments]
    with (to or Path(os.devnull)).open("w") as stream:
        told = {"stdout": stream, "stderr": subprocess.PIPE}
        return subprocess.run(command, cwd=folder, env=environment(), text=True, check=False, **told)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_sweep_does_not_begin_where_its_folders_can_not_be_made(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()

    done = mtpeft("sweep", folder=tmp_path)

    place = tmp_path / name
    assert done.returncode == 2
    assert done.stderr == f"mtpeft: {place} is no folder, but files are written into one of that name; move it away.\n"
    assert os.listdir(tmp_path) == [name]


def test_folders_that_are_links_count_as_what_they_lead_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").mkdir()
    Path("results").symlink_to("elsewhere")
    require_room()
    assert os.listdir("elsewhere") == []
    Path("data").symlink_to("nowhere")
    with pytest.raises(UserError, match="data is no folder"):
        require_room()


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.ENOSPC, TryAgainError, "a/file can't be read or written: the disk is full; make room, and start again."),
        (errno.EDQUOT, TryAgainError, "a/file can't be read or written: your share of the disk is used up; "),
        (errno.ESTALE, TryAgainError, "a/file can't be read or written: the file system was away; start again"),
        (
            errno.EACCES,
            UserError,
            "a/file can't be read or written: you are not allowed to; change its permissions, or",
        ),
        (errno.EROFS, UserError, "a/file can't be read or written: it is on a file system that can only be read; "),
        (errno.ENAMETOOLONG, UserError, "a/file can't be read or written: its name is too long; shorten the labels"),
        (errno.ENOENT, FileNotFoundError, "[Errno 2] No such file or directory: 'a/file'"),
    ],
)
def test_failures_of_files_are_told_with_what_to_do(number: int, kind: type[Exception], said: str) -> None:
    told = user_error_of(OSError(number, os.strerror(number), "a/file"))

    assert type(told) is kind
    assert str(told).startswith(said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's file that is always full")
def test_a_command_whose_output_finds_no_room_says_so(tmp_path: Path) -> None:
    done = mtpeft("methods", folder=tmp_path, to=Path("/dev/full"))

    assert done.returncode == os.EX_TEMPFAIL
    assert done.stderr.splitlines()[0] == "mtpeft: Writing has failed: the disk is full; make room, and start again."
    assert "Traceback" not in done.stderr


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m mtpeft methods"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "mtpeft: The folder in which you are is gone; change into one that is there."


def test_a_name_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    done = mtpeft("plan", "--configfile", b"mine-\xff.yaml", folder=tmp_path)

    assert done.returncode == 2
    assert (
        done.stderr
        == "mtpeft: The name 'mine-\N{REPLACEMENT CHARACTER}.yaml' is not UTF-8; rename the file or the folder.\n"
    )


@pytest.mark.parametrize(("profile", "elsewhere"), [("local", False), ("slurm", True)])
def test_the_profiles_of_the_project_are_read(profile: str, elsewhere: bool) -> None:
    assert submits_jobs(profile) is elsewhere


def test_the_profile_of_slurm_names_rules_that_there_are() -> None:
    texts = [(ROOT / "Snakefile").read_text(), *(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))]
    rules = {
        rule for text in texts for rule in re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", text, flags=re.MULTILINE)
    }
    profile = read_profile(profile_file("slurm"))
    assert set(profile["set-resources"]) | set(profile["groups"]) <= rules


HELP = """
import contextlib, sys
from mtpeft.cli import main
with contextlib.suppress(SystemExit):
    main(["--help"])
slow = {"pydantic", "yaml", "numpy", "pandas", "matplotlib", "torch", "transformers"}
print(sorted((slow | {"socket", "platform", "subprocess", "tempfile", "logging"}) & set(sys.modules)))
"""


def test_help_loads_nothing_that_takes_long() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
