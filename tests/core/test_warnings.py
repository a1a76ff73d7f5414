"""Warnings, which a user should see though nothing has failed."""

from pathlib import Path

from mtpeft.core.files import write_record
from mtpeft.core.warnings import recorded_warnings, warn


def test_warnings_of_records_are_told_once_each_with_their_record(tmp_path: Path) -> None:
    said = {"a": ["much is taken", "a side looks wrong"], "b": ["much is taken"], "c": []}
    for name, warnings in said.items():
        write_record(tmp_path / f"{name}.json", {"warnings": warnings})
    write_record(tmp_path / "old.json", {"params": {}})
    (tmp_path / "cut.json").write_text('{"warnings": ["no')
    files = [tmp_path / f"{name}.json" for name in ("a", "b", "c", "old", "cut", "none")]
    assert list(recorded_warnings(files)) == [f"{text} ({tmp_path / 'a.json'})" for text in said["a"]]


def test_a_warning_says_what_it_is(capsys) -> None:
    warn(["much is taken."])
    assert capsys.readouterr().err == "mtpeft: warning: much is taken.\n"
