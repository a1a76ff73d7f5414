"""Downloads of datasets that break off, lie or fail: they go on, or end with one sentence and leave nothing behind."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtpeft.core.files import canonical, read_record
from mtpeft.isolated.install import pins_of
from support.mtdata import FILES, Datasets, Served, command

ID = "Local-talks_train-1-eng-deu"
TALKS = FILES["talks.tar.gz"]


def left_over() -> list[str]:
    """Files that a step has left but for downloads and notes."""
    return [str(path) for path in Path("data").glob("*") if path.name != "downloads"]


# What the server does, and the ranges that it is asked for until the file is whole.
BREAKS: dict[str, tuple[dict[str, Any], list[str | None]]] = {
    "breaks off twice": ({"breaks": [700, 300]}, [None, "bytes=700-", "bytes=1000-"]),
    "breaks off at once": ({"breaks": [0, 0]}, [None, None, None]),
    "can't go on": ({"breaks": [700], "goes_on": False}, [None, "bytes=700-"]),
    "is busy": ({"answers": [503, 429]}, [None, None, None]),
    "has all but the end": ({"breaks": [len(TALKS) - 1]}, [None, f"bytes={len(TALKS) - 1}-"]),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_download_goes_on_where_it_broke_off(case: str, local: Datasets) -> None:
    behaviour, asked = BREAKS[case]
    local.files["talks.tar.gz"] = Served(TALKS, **behaviour)

    assert local.fetch(ID) == 0

    assert local.files["talks.tar.gz"].asked == asked
    assert read_record(Path(f"data/{ID}.json"))["sha256"] == hashlib.sha256(TALKS).hexdigest()


@pytest.mark.parametrize("tag", ['"first"', '"second"'])
def test_a_later_run_goes_on_if_the_file_is_the_same(
    tag: str, local: Datasets, capsys: pytest.CaptureFixture[str]
) -> None:
    local.files["talks.tar.gz"] = Served(TALKS if tag == '"first"' else b"x" * len(TALKS), breaks=[900, 0, 0, 0])
    assert local.fetch(ID) == 2
    assert f"broke off after 900 of {len(TALKS)} bytes" in capsys.readouterr().err

    local.files["talks.tar.gz"] = Served(TALKS, tag=tag)
    assert local.fetch(ID) == 0

    assert local.files["talks.tar.gz"].asked == ["bytes=900-"]
    assert read_record(Path(f"data/{ID}.json"))["sha256"] == hashlib.sha256(TALKS).hexdigest()
    assert not list(Path("data/downloads").rglob("*.part*"))


# An id, what its file is like, what the configuration states, and what the sentence must say.
ERRORS: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "unknown name": ("Local-talks_trian-1-eng-deu", {}, {},
        "mtdata knows no dataset 'Local-talks_trian-1-eng-deu': the nearest are Local-talks_train-1-eng-deu, "),
    "unknown language": ("Local-talks_train-1-eng-fra", {}, {}, "the nearest are Local-talks_train-1-eng-spa, Local-"),
    "needs a package": ("Local-sheet-1-eng-deu", {}, {}, "with the package openpyxl, which is not installed beside it"),
    "wrong hash": (ID, {}, {"sha256": "0" * 64}, f"have the SHA-256 {hashlib.sha256(TALKS).hexdigest()}, but cor"),
    "wrong length": (ID, {"promises": len(TALKS) + 50}, {},
        f"promised {len(TALKS) + 50} bytes and has {len(TALKS)}: its file is cut short"),
    "wrong length, no ranges": (ID, {"promises": len(TALKS) + 50, "goes_on": False}, {},
        f"broke off after {len(TALKS)} of {len(TALKS) + 50} bytes, 3 times"),
    "always breaks off": (ID, {"breaks": [99, 0, 0, 0]}, {}, f"broke off after 99 of {len(TALKS)} bytes, 3 times"),
    "gone": (ID, {"answers": [404]}, {}, "answers 404 Not Found: mtdata's index is out of date"),
    "not there": ("Local-nowhere-1-eng-deu", {}, {},
        "http://127.0.0.1:1/nowhere.tsv gave nothing in 3 tries ([Errno 111] Connection refused): mend the network"),
    "down": (ID, {"answers": [503] * 3}, {}, "gave nothing in 3 tries (503 Service Unavailable): mend the network"),
    "cut tar": (ID, {"content": TALKS[:900]}, {}, f"The download of '{ID}' is not whole (Compressed file ended before"),
    "cut zip": ("Local-moses-v1-deu-eng", {"content": FILES["moses.zip"][:900]}, {}, "is not whole (file could not be"),
    "cut xz": ("Local-table-1-eng-spa", {"content": FILES["table.tsv.xz"][:900]}, {}, "is not whole (Compressed file"),
    "damaged zip": ("Local-moses-v1-deu-eng",
        {"content": FILES["moses.zip"].replace(b"hello", b"hullo")[:200] + b"\0" * 9 + FILES["moses.zip"][209:]}, {},
        "is not whole ("),
    "a page instead": (ID, {"content": b"<html>Log in</html>"}, {}, "is not whole (file could not be opened"),
    "missing member": ("Local-flores_devtest-1-eng-zul", {}, {},
        "(no members of the archive match 'flores/devtest/zul_Latn.devtest', where one should)"),
    "uneven sides": ("Local-uneven-1-eng-spa", {}, {}, "have unequal number of segments"),
}  # fmt: skip
FILE_OF = {"Local-moses-v1-deu-eng": "moses.zip", "Local-table-1-eng-spa": "table.tsv.xz"}


@pytest.mark.parametrize("case", ERRORS)
def test_a_failure_is_one_sentence_and_leaves_nothing_half_written(
    case: str, local: Datasets, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, behaviour, stated, expected = ERRORS[case]
    name = FILE_OF.get(dataset, "talks.tar.gz")
    local.files[name] = Served(**{"content": FILES[name], **behaviour})

    assert local.fetch(dataset, **stated) == 2

    said = capsys.readouterr().err
    assert said.startswith("mtpeft: ") and said.count("\n") == 1
    assert expected in said
    assert left_over() == []
    if "not whole" in expected or "SHA-256" in expected:
        local.files[name] = Served(FILES[name])
        assert local.fetch(dataset) == 0, "a file that is wrong must not stand in the way of the next run"


@pytest.mark.parametrize(
    ("kept", "reason"), [("index", "ModuleNotFoundError: No module named 'mtdata'"), ("packages", "it has no index")]
)
def test_an_environment_that_is_broken_is_named(
    kept: str, reason: str, local: Datasets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "environment"
    shutil.copytree(local.environment.parent / kept, broken / kept)

    assert Datasets({}, broken / "installed.json").fetch(ID) == 2

    assert f"mtdata does not work in {broken} ({reason}): delete that folder and run again" in capsys.readouterr().err


def test_an_installation_that_fails_has_pips_own_words(
    own_life: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    params = canonical({"step_version": 1, "requirements": pins_of("mtdata")[:1]})

    assert command("install_mtdata", "--params", params, "--record", "data/environment/installed.json") == 2

    assert "pip could not install mtdata (ERROR: No matching distribution found for certifi" in capsys.readouterr().err
    assert list(Path("data").iterdir()) == []
